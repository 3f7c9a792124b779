"""A login by a passkey: its owner is whoever the authenticator says, once the signature is right."""

from uuid import UUID

import structlog

from infra.crypto.sealing import from_base64url
from ingress.login.passkeys.bodies import AssertionBody
from ingress.login.passkeys.challenges import Purpose
from ingress.resources import Resources
from storage.login.passkeys import Kept, Rejected
from storage.login.sessions import Continued

_log = structlog.get_logger(__name__)


async def log_in_by_passkey(
    app: Resources, challenge_id: UUID, passkey: AssertionBody
) -> tuple[Continued, Kept] | Rejected:
    """Begin a session of the passkey's owner. The challenge is over, whatever comes of it: a new one costs a
    touch, and nobody can replay the answer (WebAuthn, section 13.4.3).

    Raises:
        TransientError: Redis or Postgres does not answer.
    """
    challenge = await app.passkey_challenges.take(challenge_id, Purpose.LOGIN)
    if challenge is None:
        return Rejected("challenge_over")
    kept = await app.passkeys.find(from_base64url(passkey.id) or b"")
    if kept is None:
        return Rejected("unknown_passkey")
    sign_count = app.relying_party.asserted(passkey.json_dict(), challenge.challenge, kept)
    if sign_count is None:
        return Rejected("wrong_passkey", kept.owner)
    began = await app.passkeys.log_in(kept, sign_count)
    if isinstance(began, Rejected):
        if began.reason == "sign_count_back":
            _log.error("the counter of a passkey went back: it may have been copied", passkey=str(kept.id))
        return began
    return began, kept
