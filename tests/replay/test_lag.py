"""How far each service is behind: what waits is counted, and nothing does once it is worked off."""

import json
from datetime import timedelta

from contracts.topics import COMMANDS, EVENTS, LOGIN_CHALLENGES, SECURITY_EVENTS
from infra import clock
from infra.kafka import start_producer, topic_name
from infra.settings import Settings
from ops.lag import all_lags
from tests.ops.conftest import clinic_command
from tests.replay.conftest import decided, execute
from tests.replay.examples import doctors_in_different_partitions, opened, partition_of, record_of
from tests.replay.sending import send

HOUR = timedelta(hours=1)


async def test_a_backlog_is_counted_and_gone_when_it_is_decided(own: Settings) -> None:
    first, second = doctors_in_different_partitions()
    for doctor_id in (first, first, second):
        await send(own, (record_of(command, clock.now() - HOUR) for command in opened(doctor_id)))

    lags = {(one.service, one.topic, one.partition): one for one in await all_lags(own)}
    behind = {key: (one.position, one.end, one.records) for key, one in lags.items() if one.records}
    assert behind == {
        ("worker", COMMANDS.name, partition_of(first)): (0, 4, 4),
        ("worker", COMMANDS.name, partition_of(second)): (0, 2, 2),
    }
    for key, one in lags.items():
        assert 3600 <= one.seconds < 4600 if key in behind else one.seconds == 0

    await decided(own)
    lags = {(one.service, one.topic, one.partition): one for one in await all_lags(own)}
    assert {key for key, one in lags.items() if one.service == "worker" and one.records} == set()
    worker = lags["worker", COMMANDS.name, partition_of(first)]
    assert (worker.position, worker.end, worker.unpublished) == (4, 4, 0)
    # Nobody follows the events here, so whoever should has them all before it.
    for service in ("auditor", "notifier"):
        events = lags[service, EVENTS.name, partition_of(first)]
        assert (events.position, events.records) == (0, 4)


async def test_the_command_tells_partitions_sums_and_what_is_not_published(own: Settings) -> None:
    doctor_id, _ = doctors_in_different_partitions()
    await send(own, (record_of(command, clock.now()) for command in opened(doctor_id)))
    await decided(own)
    await execute(own, "UPDATE booking.partition_progress SET published_count = 0")
    producer = await start_producer(own, "test")
    await producer.send_and_wait(topic_name(own, SECURITY_EVENTS), b"{}", partition=1)
    await producer.stop()

    printed = clinic_command(own, "lag", "--json")
    assert printed.returncode == 0, printed.stderr
    told = json.loads(printed.stdout)
    assert told["unpublished_events"] == 2
    assert {(total["service"], total["topic"]): total["records"] for total in told["totals"]} == {
        ("worker", COMMANDS.name): 0,
        ("auditor", EVENTS.name): 2,
        ("auditor", SECURITY_EVENTS.name): 1,
        ("notifier", EVENTS.name): 2,
        ("notifier", LOGIN_CHALLENGES.name): 0,
    }
    table = clinic_command(own, "lag").stdout
    assert "2 events are committed and not published yet" in table
    assert "worker" in table
