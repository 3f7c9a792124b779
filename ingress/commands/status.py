"""`GET /v1/commands/{receipt}`: the answer to a write, for ever."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.command_resource import CommandResource
from contracts.commands import ActorKind
from contracts.decision import Decision
from contracts.receipt import Receipt
from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import topic_name
from ingress.commands.decisions import SQL
from ingress.commands.state import command_resource
from ingress.commands.submit import WAIT_S_MAX
from ingress.http.auth import AuthenticatedRoute, Caller
from ingress.http.problems import Code, ForeignProblem, not_found
from ingress.openapi.responses import RETRY_AFTER, answers
from ingress.resources import Resources, resources

router = APIRouter(route_class=AuthenticatedRoute, tags=["commands"])


@router.get(
    "/v1/commands/{receipt}",
    response_model=CommandResource,
    summary="Get the status of a command",
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
    app = resources(request)
    opened = app.keys.open_receipt(receipt)
    if opened is None:
        raise not_found()
    if caller.kind is not ActorKind.STAFF and caller != opened.actor:
        raise ForeignProblem
    with app.decisions.expected(opened.command_id) as waiter:
        decision = await app.decisions.find(opened.command_id)
        if decision is None and wait:
            decision = await app.decisions.within(waiter, min(wait, WAIT_S_MAX))
    resource = await _resource(app, receipt, opened, decision)
    headers = {"Retry-After": "1"} if resource.decided_at is None else {}
    return Response(resource.model_dump_json(), 200, headers, "application/json")


async def _resource(
    app: Resources, path_segment: str, receipt: Receipt, decision: Decision | None
) -> CommandResource:
    if decision is not None:
        return command_resource(path_segment, receipt, decision, None)
    topic = topic_name(app.settings, COMMANDS_TOPIC)
    next_offset = await app.pool.fetchval(SQL["next_offset"], topic, receipt.partition)
    ahead = receipt.offset - (next_offset or 0)
    if ahead < 0:
        # It was decided between the two questions. Or its record was lost: then nothing is known of it.
        decision = await app.decisions.find(receipt.command_id)
    return command_resource(path_segment, receipt, decision, max(ahead, 0))
