"""An event that an operator told the auditor to leave out is a gap that the trail records."""

import json

from contracts.topics import EVENTS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.skipping import skip_id
from infra.kafka.topic_id import topic_ids
from tests.audit.trail import Trail, run
from tests.ops.conftest import clinic_command

SKIP = ("skip", "0", "1", "--consumer", "auditor", "--why", "its month cannot be made")


async def test_a_skipped_event_is_an_entry_that_names_the_order(trail: Trail) -> None:
    await trail.happen(3)
    given = clinic_command(trail.settings, *SKIP)
    assert given.returncode == 0, given.stderr
    async with trail.auditor():
        await trail.keeps(3, 0)

    topic = topic_name(trail.settings, EVENTS_TOPIC)
    order = skip_id("auditor", (await topic_ids(trail.settings, [topic]))[topic], 0, 1)
    assert str(order) in given.stdout
    content = json.loads(
        await trail.postgres.fetchval("SELECT content FROM audit.entries WHERE action = 'RecordSkipped'")
    )
    assert content["effect"] == {"after": {"order_id": str(order)}, "before": None}
    event = content["event"]
    assert (event["topic"], event["offset"], event["sequence"]) == (topic, 1, 2)
    assert json.loads(run(trail, "verify", "--json")[0])["chains"][0]["skipped"] == 1

    # Somebody who can only make the auditor believe things cannot call it an order.
    await trail.tamper("DELETE FROM operator.orders WHERE action = 'skip'")
    assert await trail.finding() == (
        2, "entry 2 says that its event was skipped, and there is no order of an operator",
    )  # fmt: skip
