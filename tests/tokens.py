"""Access tokens for tests: as short-lived as those of a login, so that a long run needs new ones."""

import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from contracts.commands import Actor, ActorKind
from infra.settings import Settings
from infra.signing_keys import load_signing_key
from infra.tokens import LIFETIME, RECENT, Role, issue_token

ROLES = {ActorKind.PATIENT: Role.PATIENT, ActorKind.STAFF: Role.STAFF}
# So early that the login also counts as recent.
RENEWED_AFTER_S = RECENT.total_seconds() / 2


def bearer(
    settings: Settings,
    actor: Actor,
    valid_for: timedelta = LIFETIME,
    role: Role | None = None,
    **claims: Any,
) -> dict[str, str]:
    """The header with a new token; `claims` are `issue_token`'s."""
    key = load_signing_key(settings.signing_key_file)
    token = issue_token(key, actor.id, role or ROLES[actor.kind], valid_for=valid_for, **claims)
    return {"Authorization": f"Bearer {token}"}


class Tokens:
    """Tokens of several people, renewed before they expire."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._issued: dict[tuple[ActorKind, UUID], tuple[float, dict[str, str]]] = {}

    def bearer(self, actor: Actor) -> dict[str, str]:
        """The header with a token that is valid for some minutes."""
        issued_at, header = self._issued.get((actor.kind, actor.id), (0.0, {}))
        if not header or time.monotonic() - issued_at > RENEWED_AFTER_S:
            issued_at, header = time.monotonic(), bearer(self._settings, actor)
            self._issued[actor.kind, actor.id] = (issued_at, header)
        return header


class BearerAuth(httpx.Auth):
    """A client of one person, for any length of time."""

    def __init__(self, tokens: Tokens, actor: Actor) -> None:
        self._tokens = tokens
        self._actor = actor

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token."""
        request.headers.update(self._tokens.bearer(self._actor))
        yield request
