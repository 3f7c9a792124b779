"""The parsers of what strangers send: for any bytes, the documented answer or the documented error.

Each target takes bytes, and fails with an exception that its parser does not document. The same targets are
run by hypothesis (`tests/unit/fuzzing`) and, guided by coverage, by atheris (`python -m tests.fuzzing`).
"""

import contextlib
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from contracts import cloudevents
from contracts.commands import Actor, ActorKind
from contracts.dead_letters import UndecodableError, origin_of
from contracts.decision import unpack_wake_up
from contracts.envelope import Message, sequence_of
from infra.crypto.sealing import from_base64url, to_base64url
from infra.keys import Keys
from infra.tokens import TokenChecker
from ingress.analytics.tables import best_media_type
from ingress.audit.scan import Walk
from ingress.booking.routes import BookBody, RescheduleBody
from ingress.commands.submit import command_id_of, wait_s
from ingress.doctors.routes import RegisterBody, ScheduleBody, UpdateBody
from ingress.doctors.time_off import TimeOffBody
from ingress.event_stream.feed import StreamPosition
from ingress.http.compression import best_encoding, has_tag
from ingress.http.parameters import cursor_after, key_before
from ingress.http.problems import Problem
from ingress.http.strict_json import StrictRequest
from ingress.login.bodies import Proof
from ingress.login.cookie import cookie_of
from ingress.login.passkeys.bodies import PasskeyBody
from ingress.login.passkeys.relying_party import RelyingParty
from ingress.pages.routes import best_language
from ingress.patients.notes import NoteBody
from ingress.patients.profile import OwnProfileChange, PatientBody
from storage import mail_address
from storage.login.calendar_links import CalendarLinks
from tests.fuzzing.heads import check_head
from tests.unit.infra.crypto.crafted_tokens import KEYS as SIGNING_KEYS
from tests.unit.infra.crypto.crafted_tokens import signed

KEYS = Keys(bytes(32))
CALLER = Actor(kind=ActorKind.PATIENT, id=UUID(int=1))
CLINIC = RelyingParty("clinic.example.org", "Clinic", "https://clinic.example.org")
_BODY_TYPES: tuple[Any, ...] = (
    BookBody, RescheduleBody, RegisterBody, UpdateBody, ScheduleBody, TimeOffBody, PatientBody,
    OwnProfileChange, NoteBody, Proof, PasskeyBody,
)  # fmt: skip
BODIES = [TypeAdapter[Any](body) for body in _BODY_TYPES]


def token(content: bytes) -> None:
    """Header and claims, separated by NUL, with a right signature; and the text as it is."""
    header, _, claims = content.partition(b"\0")
    TokenChecker(SIGNING_KEYS).check(content.decode("latin-1"))
    access = TokenChecker(SIGNING_KEYS).check(signed(claims, header=header))
    assert access is None or access.actor.id


def receipt(content: bytes) -> None:
    """None for all that the clinic did not sign."""
    assert KEYS.open_receipt(content.decode("latin-1")) is None
    assert KEYS.open_receipt(to_base64url(content)) is None
    assert KEYS.open_unsubscribe(to_base64url(content)) is None


def cursor(content: bytes) -> None:
    """422, or a key that makes the same place in the list again."""
    for text in (content.decode("latin-1"), to_base64url(content)):
        with contextlib.suppress(Problem):
            key = key_before(text, 2)
            assert key_before(cursor_after(key), 2) == key
        with contextlib.suppress(Problem):
            walk = Walk.parse(text)
            again = Walk.parse(walk.cursor())
            assert (again.filters, again.seen) == (walk.filters, walk.seen)


def message(content: bytes) -> None:
    """A record with any headers, key and value, separated by NUL; only `UndecodableError`."""
    type_, key, id_, sequence, value = (content.split(b"\0", 4) + [b""] * 5)[:5]
    headers = [("ce_specversion", b"1.0"), ("ce_type", type_), ("ce_id", id_), ("ce_sequence", sequence)]
    record = Message(key, value, headers)
    for decode in (
        cloudevents.decode_command,
        cloudevents.decode_event,
        cloudevents.decode_known_event,
        cloudevents.decode_security_event,
        cloudevents.decode_challenge,
    ):
        with contextlib.suppress(UndecodableError):
            decode(record)
    sequence_of(record)
    names = ("reason", "detail", "topic", "topic_id", "partition", "offset")
    origin_of([(f"dlq_{name}", part) for name, part in zip(names, content.split(b"\0"), strict=False)])


class _NoLinks:
    async def fetchrow(self, query: str, hashed: bytes) -> None:
        assert len(hashed) == 32


def calendar_link(content: bytes) -> None:
    """Nobody's, for any text; only the one encoding of a secret is looked up."""
    text = content.decode("latin-1")
    assert ended(CalendarLinks(_NoLinks(), Keys(bytes(32))).owner_of(text)) is None  # type: ignore[arg-type]
    decoded = from_base64url(text)
    assert decoded is None or to_base64url(decoded) == text


def wake_up(content: bytes) -> None:
    """Ids, or nothing."""
    assert all(isinstance(command_id, UUID) for command_id in unpack_wake_up(content))


def address(content: bytes) -> None:
    """`ValueError`, or an address that is one word and the same one for ever."""
    text = content.decode("utf-8", "replace")
    assert mail_address.comparable(mail_address.comparable(text)) == mail_address.comparable(text)
    mail_address.formerly_comparable(text)
    with contextlib.suppress(ValueError):
        written = mail_address.written(text, smtputf8=True)
        assert mail_address.written(written, smtputf8=True) == written
        assert mail_address.comparable(written) == mail_address.comparable(text)
        assert written.isprintable()
        assert not set(' <>,;:"()[]\\') & set(written)


def headers(content: bytes) -> None:
    """Every header that is read, with any value."""
    names = ("idempotency-key", "prefer", "sec-fetch-site", "origin", "host", "cookie", "content-type")
    values = content.split(b"\n")
    found = [(name.encode(), value) for name, value in zip(names, values * len(names), strict=False)]
    request = Request({"type": "http", "headers": found, "state": {"known": object()}})
    with contextlib.suppress(Problem):
        command_id_of(request, CALLER)
    wait = wait_s(request)
    assert wait is None or 0 <= wait <= 10
    cookie_of(request)
    for text in (value.decode("latin-1") for value in values):
        has_tag(text, '"tag"')
        assert best_language(text, ("en", "de")) in ("en", "de")
        assert best_encoding(text, {"br": b"", "identity": b""}) in ("br", "identity")
        assert best_media_type(text, ("application/json", "text/csv")) in ("application/json", "text/csv")
        position = StreamPosition.parse(text)
        assert position is None or StreamPosition.parse(str(position)) is not None


def body(content: bytes) -> None:
    """400 or 422 for what is not strict JSON; then a body of the wanted shape, or a `ValidationError`."""
    request = StrictRequest({"type": "http", "headers": [(b"content-type", b"application/json")]})
    request._body = content
    try:
        value = ended(request.json())
    except Problem:
        return
    for model in BODIES:
        with contextlib.suppress(ValidationError):
            model.validate_python(value)


def passkey(content: bytes) -> None:
    """No credential, whatever an authenticator is said to have made."""
    client_data, attestation, id_ = (
        to_base64url(part) for part in (content.split(b"\0\0", 2) + [b""] * 3)[:3]
    )
    response = {"clientDataJSON": client_data, "attestationObject": attestation}
    made = {"id": id_, "rawId": id_, "type": "public-key", "response": response}
    assert CLINIC.registered(made, bytes(32), bytes(32)) is None


def ended(job: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        job.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "head": check_head,
    "token": token,
    "receipt": receipt,
    "cursor": cursor,
    "message": message,
    "calendar_link": calendar_link,
    "wake_up": wake_up,
    "address": address,
    "headers": headers,
    "body": body,
    "passkey": passkey,
}
