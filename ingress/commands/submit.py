"""Writes: a command is identified, answered if it was decided before, or appended to the log."""

import asyncio
import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID, uuid5

from fastapi import Request, Response

from contracts.commands import Actor, ActorKind, Command
from contracts.decision import Decision
from contracts.receipt import Receipt
from infra.crypto.sealing import DataKey
from ingress.commands.fingerprints import fingerprints
from ingress.commands.state import command_resource
from ingress.http.problems import Code, Problem
from ingress.http.tracing import traceparent
from ingress.resources import Resources, resources

WAIT_S_MAX = 10
# RFC 9562 name space of idempotency keys; never to be changed, or repeated keys would act again.
_KEYS = UUID("6f1a1a2e-5b0e-4a52-9d0c-2f6a6cf0c3b7")
_IDEMPOTENCY_KEY = re.compile(r'"([\x20-\x7e]{1,255})"|(?!""$)[\x21-\x7e]{1,255}')
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?=$|[,;])', re.IGNORECASE)


class CommandIdentity(TypedDict):
    """The id of a command, the caller, and the fingerprint of the request."""

    command_id: UUID
    actor: Actor
    fingerprint: str


def command_id_of(request: Request, caller: Actor) -> UUID:
    """The command's id: the same for the same caller and `Idempotency-Key`, for ever.

    Its decision is looked up from here on, beside whatever else has to be looked up before `submit`.

    Raises:
        Problem: 400, there is no usable key.
    """
    command_id = id_of_command(caller, idempotency_key(request))
    known = getattr(request.state, "known", None)
    if known is None:
        request.state.known = asyncio.create_task(resources(request).decisions.find(command_id))
        request.state.known.add_done_callback(_seen)  # a request that is refused before does not wait for it
    return command_id


def idempotency_key(request: Request) -> str:
    """The `Idempotency-Key`, without quotes.

    Raises:
        Problem: 400, there is no usable key.
    """
    keys = request.headers.getlist("idempotency-key")
    found = _IDEMPOTENCY_KEY.fullmatch(keys[0]) if len(keys) == 1 else None
    if found is None:
        detail = "One Idempotency-Key of 1 to 255 visible ASCII characters is needed."
        raise Problem(Code.IDEMPOTENCY_KEY_MISSING, detail)
    return found[1] or found[0]


def key_reused() -> Problem:
    """The problem with a key that the caller has used for something else."""
    return Problem(Code.IDEMPOTENCY_KEY_REUSED, "The Idempotency-Key was used for another request.")


def identify(
    request: Request,
    caller: Actor,
    command_type: type[Command],
    *,
    data_key: DataKey | None = None,
    **said: Any,
) -> CommandIdentity:
    """The command's identity. Raises as `command_id_of`.

    `said` is path and body as the client sent them: no defaults, nothing that is looked up for it. `data_key`
    is that of the patient whose free text is among it.
    """
    keys = resources(request).keys
    fingerprint, *earlier = fingerprints(keys, command_type.__name__, said, data_key)
    request.state.earlier_fingerprints = earlier
    return {"command_id": command_id_of(request, caller), "actor": caller, "fingerprint": fingerprint}


def id_of_command(caller: Actor, key: str) -> UUID:
    """The id of the command that this caller sends with this `Idempotency-Key` (RFC 9562, version 5)."""
    return uuid5(_KEYS, f"{caller.kind}:{caller.id}:{key}")


def _seen(task: asyncio.Task[Decision | None]) -> None:
    if not task.cancelled():
        task.exception()


def wait_s(request: Request) -> int | None:
    """How long the client would like to wait (RFC 7240, section 4.3), capped; None if it does not say."""
    found = _WAIT.search(",".join(request.headers.getlist("prefer")))
    # With three digits it is capped anyway; so are thousands of them, which would be work for `int`.
    return min(int(found[1].lstrip("0")[:3] or 0), WAIT_S_MAX) if found else None


async def submit(request: Request, command: Command) -> Response:
    """Answer a write: 202 with a receipt, or 200 with the decision if there is one already or in time.

    Raises:
        Problem: 422, the key was used for something else. 429, a patient has sent too many commands today.
        LogUnavailableError: the broker did not acknowledge.
    """
    app = resources(request)
    earlier: list[str] = request.state.earlier_fingerprints
    # A receipt is in clients' hands: it carries no fingerprint of a free text itself.
    carried = earlier[0] if len(earlier) == 1 else None
    known: Decision | None = await request.state.known
    if known is not None:
        receipt = _receipt_of_decision(command, known, carried)
        if known.fingerprint in earlier and not receipt.is_same_request(known.fingerprint):
            receipt = dataclasses.replace(receipt, fingerprint=known.fingerprint)
        if not receipt.is_same_request(known.fingerprint):
            raise key_reused()
        return _answer(app, receipt, known, {"Idempotency-Replayed": "true"})
    if command.actor.kind is ActorKind.PATIENT:
        await app.daily_cap.take(command.actor.id)
    timeout_s = wait_s(request)
    with app.decisions.expected(command.command_id) as waiter:
        appended = await app.log.append(command, traceparent(request))
        receipt = dataclasses.replace(appended, earlier_fingerprint=carried)
        decision = await app.decisions.within(waiter, timeout_s) if timeout_s else None
    if decision is None:
        return _answer(app, receipt, None)
    if receipt.is_same_request(decision.fingerprint):
        # The same request was sent twice at once; both answers are about the record that was decided.
        receipt = _receipt_of_decision(command, decision, carried)
    return _answer(app, receipt, decision, {"Preference-Applied": f"wait={timeout_s}"})


def _receipt_of_decision(command: Command, decision: Decision, earlier_fingerprint: str | None) -> Receipt:
    return Receipt.of(
        command,
        decision.partition,
        decision.offset,
        decision.decided_at,
        earlier_fingerprint=earlier_fingerprint,
    )


def _answer(
    app: Resources, receipt: Receipt, decision: Decision | None, headers: Mapping[str, str] | None = None
) -> Response:
    if receipt.earlier_fingerprint == receipt.fingerprint:
        receipt = dataclasses.replace(receipt, earlier_fingerprint=None)
    resource = command_resource(app.keys.sign_receipt(receipt), receipt, decision, queue_ahead=None)
    all_headers: dict[str, str] = {"Location": resource.links.self, **(headers or {})}
    if decision is None:
        all_headers["Retry-After"] = "1"
    status = 202 if decision is None else 200
    return Response(resource.model_dump_json(), status, all_headers, "application/json")
