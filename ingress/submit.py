"""A write, the same for each: name it, look whether it was decided, put it on the log, answer."""

import re
from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID, uuid5

from fastapi import Request, Response

from contracts.command_resource import State
from contracts.commands import Actor, Command
from contracts.decision import Decision
from contracts.receipt import Receipt
from ingress.command_state import command_resource
from ingress.problems import Code, Problem
from ingress.resources import Resources, resources
from ingress.tracing import traceparent

WAIT_S_MAX = 10
# RFC 9562 name space of idempotency keys; never to be changed, or repeated keys would act again.
_KEYS = UUID("6f1a1a2e-5b0e-4a52-9d0c-2f6a6cf0c3b7")
_IDEMPOTENCY_KEY = re.compile(r'"([\x20-\x7e]{1,255})"|(?!""$)[\x21-\x7e]{1,255}')
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)


class Name(TypedDict):
    """How a command is known: its id, who asks, and the fingerprint of what is asked."""

    command_id: UUID
    actor: Actor
    fingerprint: str


def named(request: Request, caller: Actor, command_type: type[Command], **asked: Any) -> Name:
    """The command's name. Its id is the same for the same caller and `Idempotency-Key`, for ever.

    `asked` is what the client asks for, as it said it: path and body, not what is looked up for it.

    Raises:
        Problem: 400, there is no usable key.
    """
    keys = request.headers.getlist("idempotency-key")
    found = _IDEMPOTENCY_KEY.fullmatch(keys[0]) if len(keys) == 1 else None
    if found is None:
        detail = "One Idempotency-Key of 1 to 255 visible ASCII characters is needed."
        raise Problem(Code.IDEMPOTENCY_KEY_MISSING, detail)
    return {
        "command_id": uuid5(_KEYS, f"{caller.kind}:{caller.id}:{found[1] or found[0]}"),
        "actor": caller,
        "fingerprint": resources(request).keys.fingerprint({"type": command_type.__name__, **asked}),
    }


def wait_s(request: Request) -> int | None:
    """How long the client would like to wait (RFC 7240, section 4.3), capped; None if it does not say."""
    found = _WAIT.search(",".join(request.headers.getlist("prefer")))
    return min(int(found[1]), WAIT_S_MAX) if found else None


async def submit(request: Request, command: Command) -> Response:
    """Answer a write: 202 with a receipt, or 200 with the decision if there is one already or in time.

    Raises:
        Problem: 422, the key was used for something else.
        LogUnavailableError: the broker did not acknowledge.
    """
    here = resources(request)
    known = await here.decisions.find(command.command_id)
    if known is not None:
        return _replayed(here, command, known)
    trace = traceparent(request)
    timeout_s = wait_s(request)
    if not timeout_s:
        receipt = await here.log.append(command, trace)
        return _answer(here, receipt, None)
    with here.decisions.expected(command.command_id) as waiter:
        receipt = await here.log.append(command, trace)
        decision = await here.decisions.within(waiter, timeout_s)
    if decision is None:
        return _answer(here, receipt, None)
    if decision.fingerprint == command.fingerprint:
        # Of a request sent twice at once one record was decided: both answers are about that one.
        receipt = Receipt.of(command, decision.partition, decision.offset, decision.decided_at)
    return _answer(here, receipt, decision, {"Preference-Applied": f"wait={timeout_s}"})


def _replayed(here: Resources, command: Command, decision: Decision) -> Response:
    if decision.state is not State.FAILED and decision.fingerprint != command.fingerprint:
        raise Problem(Code.IDEMPOTENCY_KEY_REUSED, "The Idempotency-Key was used for another request.")
    receipt = Receipt.of(command, decision.partition, decision.offset, decision.decided_at)
    return _answer(here, receipt, decision, {"Idempotency-Replayed": "true"})


def _answer(
    here: Resources, receipt: Receipt, decision: Decision | None, headers: Mapping[str, str] | None = None
) -> Response:
    resource = command_resource(here.keys.sign_receipt(receipt), receipt, decision, queue_ahead=None)
    more: dict[str, Any] = {"Location": resource.links.self, **(headers or {})}
    if decision is None:
        more["Retry-After"] = "1"
    return Response(resource.model_dump_json(), 202 if decision is None else 200, more, "application/json")
