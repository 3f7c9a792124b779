"""Compares the trail with `booking.events`, where only workers write: entries of no event, or of another one.

The hashes of a chain only show that nobody changed it since. An auditor that was made to believe something
records it with the right hashes.
"""

from contracts.audit import Chain
from infra.postgres import Connection

# So many take less than a second.
AT_ONCE = 50_000
_ENDS = """
SELECT coalesce(min(number), 1) AS first, coalesce(max(number), 0) AS last
FROM audit.entries WHERE chain = $1 AND partition = $2
"""
# Dropped months have no entries; events that are not in the trail yet are the auditor's lag. The server
# compares text, as reading both as JSON takes five times as long as all the hashes. That the columns are
# those of the content is checked with the hashes.
_FIRST = r"""
SELECT e.number, b.event_id IS NULL AS missing
FROM audit.entries e LEFT JOIN booking.events b ON b.partition = e.partition AND b.sequence = e.number
WHERE e.chain = $1 AND e.partition = $2 AND e.number BETWEEN $3 AND $4 AND e.action <> 'RecordSkipped' AND (
    b.event_id IS NULL
    OR (e.action, e.occurred_at, e.command_id) IS DISTINCT FROM (b.type, b.decided_at, b.command_id)
    OR strpos(e.content, concat('"event":{"id":"', b.event_id, '",')) = 0
    OR strpos(b.data::text, concat('"id":"', e.actor_id, '"')) = 0
    OR strpos(b.data::text, concat('"doctor_id":"' || e.doctor_id || '"')) = 0
    OR strpos(b.data::text, concat('"patient_id":"' || e.patient_id || '"')) = 0
    OR strpos(b.data::text, concat('"appointment_id":"' || e.appointment_id || '"')) = 0
    OR strpos(b.data::text, concat(substring(e.content FROM '"after":\{[^}]*("starts_at":"[^"]*")'))) = 0
    OR strpos(b.data::text, concat(substring(e.content FROM '"after":\{[^}]*("ends_at":"[^"]*")'))) = 0
)
ORDER BY e.number
LIMIT 1
"""

# Entries in place of events that were left out, each with the operator's order, if there is one.
_SKIPPED = """
SELECT e.number, o.id IS NOT NULL AS ordered
FROM audit.entries e
LEFT JOIN operator.orders o ON o.id::text = e.content::json #>> '{effect,after,order_id}'
    AND o.action = 'skip' AND o.partition = e.partition
    AND o."offset"::text = e.content::json #>> '{event,offset}'
WHERE e.chain = $1 AND e.partition = $2 AND e.action = 'RecordSkipped'
ORDER BY e.number
"""


async def skipped_entries(connection: Connection, chain: Chain, partition: int) -> dict[int, bool]:
    """The entries of a chain that stand for events that were left out, by number: whether an operator ordered
    it."""
    rows = await connection.fetch(_SKIPPED, chain, partition)
    return {row["number"]: row["ordered"] for row in rows}


async def first_difference(connection: Connection, partition: int) -> tuple[int, str] | None:
    """The first entry of a booking chain that is not its event's: its number, and the difference."""
    ends = await connection.fetchrow(_ENDS, Chain.BOOKING, partition)
    assert ends is not None, "an aggregate"
    for start in range(ends["first"], ends["last"] + 1, AT_ONCE):
        row = await connection.fetchrow(_FIRST, Chain.BOOKING, partition, start, start + AT_ONCE - 1)
        if row is None:
            continue
        number: int = row["number"]
        if row["missing"]:
            return (
                number,
                f"entry {number} is of an event that no worker wrote: the database does not have it",
            )
        return number, f"entry {number} is not of the event that the database has under its number"
    return None
