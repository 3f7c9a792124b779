"""`GET /v1/commands/{receipt}`: the answer to a write, for ever."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.command_resource import CommandResource
from contracts.commands import ActorKind
from contracts.decision import Decision
from contracts.receipt import Receipt
from contracts.topics import COMMANDS
from infra.kafka import topic_name
from ingress.callers import AuthenticatedRoute, Caller
from ingress.command_state import command_resource
from ingress.openapi import RETRY_AFTER, answers
from ingress.problems import Code, ForeignProblem, not_found
from ingress.resources import Resources, resources
from ingress.submit import WAIT_S_MAX

router = APIRouter(route_class=AuthenticatedRoute, tags=["commands"])


@router.get(
    "/v1/commands/{receipt}",
    response_model=CommandResource,
    summary="What became of a command",
    responses={
        200: {"headers": {"Retry-After": RETRY_AFTER | {"required": False}}},
        **answers(Code.NOT_FOUND, Code.INVALID_FIELDS),
    },
)
async def get_command(
    request: Request,
    receipt: str,
    caller: Caller,
    wait: Annotated[int, Query(ge=0, description="seconds to wait for the decision, at most 10")] = 0,
) -> Response:
    """Pending, or the decision. Only the one who sent the command, and staff, see it."""
    here = resources(request)
    opened = here.keys.open_receipt(receipt)
    if opened is None:
        raise not_found()
    if caller.kind is not ActorKind.STAFF and caller != opened.actor:
        raise ForeignProblem
    with here.decisions.expected(opened.command_id) as waiter:
        decision = await here.decisions.find(opened.command_id)
        if decision is None and wait:
            decision = await here.decisions.within(waiter, min(wait, WAIT_S_MAX))
    resource = await _resource(here, receipt, opened, decision)
    headers = {"Cache-Control": "no-store"}
    if resource.decided_at is None:
        headers["Retry-After"] = "1"
    return Response(resource.model_dump_json(), 200, headers, "application/json")


async def _resource(
    here: Resources, path_segment: str, receipt: Receipt, decision: Decision | None
) -> CommandResource:
    if decision is not None:
        return command_resource(path_segment, receipt, decision, None)
    next_offset = await here.pool.fetchval(
        "SELECT next_offset FROM booking.partition_progress WHERE topic = $1 AND partition = $2",
        *(topic_name(here.settings, COMMANDS), receipt.partition),
    )
    ahead = receipt.offset - (next_offset or 0)
    if ahead >= 0:
        return command_resource(path_segment, receipt, None, ahead)
    # Read again: it was decided between the two questions, or never can be.
    decision = await here.decisions.find(receipt.command_id)
    return command_resource(path_segment, receipt, decision, None, dead_lettered=decision is None)
