"""`GET /v1/audit`: the audit trail as NDJSON, for staff.

An export reads the chains one after the other, each up to its end when the export began, so that a chain that
grows does not delay the others. Later entries are left for the next export. The cursor holds both positions.
"""

import json
from collections.abc import AsyncGenerator
from typing import Annotated
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Query, Request, Response

from contracts.audit import Chain
from contracts.fields import Id
from contracts.security import Action, AuditExported
from ingress.audit.scan import Filters, Walk, read_stretch
from ingress.audit.security_log import event_context
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import From, To, bound
from ingress.http.problems import Code, invalid
from ingress.http.streaming import Streamed
from ingress.openapi.responses import answers
from ingress.resources import resources
from storage.audit import entry_line, latest_heads

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
            "description": "One line per entry: `chain`, `partition`, `number`, `recorded_at`, `hash` (hex) "
            "and `content` as hashed (RFC 8785). The last line has the latest signed `heads`, "
            "`complete` (false if `limit` was reached) and `next_cursor`; without it the answer was cut off.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        **answers(Code.FORBIDDEN, Code.INVALID_FIELDS, Code.LOG_UNAVAILABLE),
    },
)
async def export_audit(
    request: Request,
    caller: Staff,
    chain: Annotated[Chain | None, Query(description="only entries of this chain")] = None,
    since: From = None,
    until: To = None,
    action: Annotated[Action | None, Query(description="type of an event, such as PatientRead")] = None,
    actor_id: Annotated[Id | None, Query(description="only what this person did")] = None,
    appointment_id: Annotated[Id | None, Query(description="only about this appointment")] = None,
    doctor_id: Annotated[Id | None, Query(description="only about this doctor")] = None,
    patient_id: Annotated[Id | None, Query(description="only about this patient")] = None,
    command_id: Annotated[Id | None, Query(description="only what this command led to")] = None,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of an earlier export: continue it, with its filters")
    ] = None,
    limit: Annotated[
        int | None, Query(ge=1, le=LIMIT_MAX, description="maximum number of entries; default all")
    ] = None,
) -> Response:
    """Staff only. Recorded in the security log. A cursor keeps its filters and never expires."""
    app = resources(request)
    zone = ZoneInfo(app.settings.time_zone)
    filters = Filters(
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
    walk = Walk.begin(filters) if cursor is None else Walk.parse(cursor)
    if cursor is not None and filters not in (walk.filters, Filters()):
        raise invalid("/cursor", "other_filters", "The filters must be those of the cursor.")
    await walk.look(app.pool)
    exported = AuditExported(
        **event_context(request, caller), **dict(walk.filters), resumed=cursor is not None
    )
    await app.security.record(exported)
    return Streamed(_lines(app.pool, walk, limit), MEDIA_TYPE, SLOW_READER_TIMEOUT_S)


async def _lines(pool: asyncpg.Pool, walk: Walk, limit: int | None) -> AsyncGenerator[bytes, None]:
    # One query per block: a slow reader holds no connection and no snapshot.
    sent = 0
    while sent != limit and (stretch := walk.stretch()):
        at_once = BLOCK if limit is None else min(BLOCK, limit - sent)
        rows = await read_stretch(pool, walk.filters, stretch, at_once)
        if rows:
            yield "".join(entry_line(stretch.chain, stretch.partition, row) for row in rows).encode()
        walk.advance(rows[-1]["number"] if len(rows) == at_once else stretch.last)
        sent += len(rows)
    heads = [head.model_dump(mode="json") for head in await latest_heads(pool, walk.filters.chain)]
    complete = walk.stretch() is None
    last = {"heads": heads, "complete": complete, "next_cursor": walk.cursor()}
    yield json.dumps(last, separators=(",", ":")).encode() + b"\n"
