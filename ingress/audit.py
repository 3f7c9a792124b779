"""`GET /v1/audit`: the audit trail as NDJSON, for staff.

An export walks the chains one after the other, each up to where it ended when the walk began, so that a chain
that grows does not keep it from the others. What came meanwhile is for the next walk. The cursor knows both.
"""

import json
from collections.abc import AsyncGenerator
from typing import Annotated
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Query, Request, Response

from contracts.audit import Chain
from contracts.fields import DateOrInstant, Id, rfc3339
from contracts.security import Action, AuditExported
from ingress.appointment_reads import bound
from ingress.audit_walk import Walk, Wanted, read_heads, read_stretch
from ingress.callers import AuthenticatedRoute, Staff
from ingress.openapi import answers
from ingress.problems import Code, invalid
from ingress.resources import resources
from ingress.security import told
from ingress.streaming import Streamed

MEDIA_TYPE = "application/x-ndjson"
BLOCK = 500
LIMIT_MAX = 1_000_000
SLOW_READER_TIMEOUT_S = 60.0

router = APIRouter(route_class=AuthenticatedRoute, tags=["staff"])


@router.get(
    "/v1/audit",
    summary="Export the audit trail",
    response_class=Response,
    responses={
        200: {
            "description": "A line per entry: `chain`, `partition`, `number`, `recorded_at`, `hash` (hex), "
            "and `content` as it was hashed (RFC 8785). The last line has the newest signed `heads`, "
            "`complete` (false if `limit` ended it) and `next_cursor`; without it the answer was cut off.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        **answers(Code.FORBIDDEN, Code.INVALID_FIELDS, Code.LOG_UNAVAILABLE),
    },
)
async def export_audit(
    request: Request,
    caller: Staff,
    chain: Chain | None = None,
    since: Annotated[DateOrInstant | None, Query(alias="from", description="first")] = None,
    until: Annotated[DateOrInstant | None, Query(alias="to", description="last")] = None,
    action: Annotated[Action | None, Query(description="such as PatientRead")] = None,
    actor_id: Id | None = None,
    appointment_id: Id | None = None,
    doctor_id: Id | None = None,
    patient_id: Id | None = None,
    command_id: Id | None = None,
    cursor: Annotated[str | None, Query(description="`next_cursor`: go on there, with its filters")] = None,
    limit: Annotated[int | None, Query(ge=1, le=LIMIT_MAX, description="entries; all if not said")] = None,
) -> Response:
    """Staff only, and itself recorded. A cursor remembers its filters, and is never too old."""
    here = resources(request)
    zone = ZoneInfo(here.settings.time_zone)
    wanted = Wanted(
        chain=chain,
        since=bound("/from", since, zone),
        until=bound("/to", until, zone),
        action=action,
        actor_id=actor_id,
        appointment_id=appointment_id,
        doctor_id=doctor_id,
        patient_id=patient_id,
        command_id=command_id,
    )
    walk = Walk.begin(wanted) if cursor is None else Walk.parse(cursor)
    if cursor is not None and wanted not in (walk.wanted, Wanted()):
        raise invalid("/cursor", "other_filters", "A cursor goes on with its own filters.")
    await walk.look(here.pool)
    exported = AuditExported(**told(request, caller), **dict(walk.wanted), resumed=cursor is not None)
    await here.security.record(exported)
    return Streamed(_lines(here.pool, walk, limit), MEDIA_TYPE, SLOW_READER_TIMEOUT_S)


async def _lines(pool: asyncpg.Pool, walk: Walk, limit: int | None) -> AsyncGenerator[bytes, None]:
    # A question per block: a slow reader holds no connection and no snapshot.
    sent = 0
    while sent != limit and (stretch := walk.stretch()):
        at_once = BLOCK if limit is None else min(BLOCK, limit - sent)
        rows = await read_stretch(pool, walk.wanted, stretch, at_once)
        if rows:
            yield "".join(_line(stretch.chain, stretch.partition, row) for row in rows).encode()
        walk.advance(rows[-1]["number"] if len(rows) == at_once else stretch.last)
        sent += len(rows)
    heads = [head.model_dump(mode="json") for head in await read_heads(pool, walk.wanted.chain)]
    complete = walk.stretch() is None
    last = {"heads": heads, "complete": complete, "next_cursor": walk.cursor()}
    yield json.dumps(last, separators=(",", ":")).encode() + b"\n"


def _line(chain: Chain, partition: int, row: asyncpg.Record) -> str:
    # As `clinic audit export` prints it; the content is JSON already.
    return (
        f'{{"chain":"{chain}","partition":{partition},"number":{row["number"]},'
        f'"recorded_at":"{rfc3339(row["recorded_at"])}","hash":"{row["hash"].hex()}",'
        f'"content":{row["content"]}}}\n'
    )
