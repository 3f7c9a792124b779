"""The lag of each service: records that wait are counted until they are processed."""

import json
from datetime import timedelta

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC, LOGIN_CHALLENGES_TOPIC, SECURITY_EVENTS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from ops.lag import all_lags
from tests.ops.conftest import clinic_command
from tests.replay.conftest import decided, execute
from tests.replay.examples import doctors_in_different_partitions, opened, partition_of, record_of
from tests.replay.sending import send

HOUR = timedelta(hours=1)


async def test_a_backlog_is_counted_until_it_is_decided(own: Settings) -> None:
    first, second = doctors_in_different_partitions()
    for doctor_id in (first, first, second):
        await send(own, (record_of(command, clock.now() - HOUR) for command in opened(doctor_id)))

    lags = {(lag.service, lag.topic, lag.partition): lag for lag in await all_lags(own)}
    behind = {key: (lag.position, lag.end, lag.records) for key, lag in lags.items() if lag.records}
    assert behind == {
        ("worker", COMMANDS_TOPIC.name, partition_of(first)): (0, 4, 4),
        ("worker", COMMANDS_TOPIC.name, partition_of(second)): (0, 2, 2),
    }
    for key, lag in lags.items():
        assert 3600 <= lag.seconds < 4600 if key in behind else lag.seconds == 0

    await decided(own)
    lags = {(lag.service, lag.topic, lag.partition): lag for lag in await all_lags(own)}
    assert {key for key, lag in lags.items() if lag.service == "worker" and lag.records} == set()
    worker = lags["worker", COMMANDS_TOPIC.name, partition_of(first)]
    assert (worker.position, worker.end, worker.unpublished) == (4, 4, 0)
    # No consumer follows the events in this test: all of them count as lag.
    for service in ("auditor", "notifier"):
        events = lags[service, EVENTS_TOPIC.name, partition_of(first)]
        assert (events.position, events.records) == (0, 4)


async def test_the_command_shows_partitions_sums_and_unpublished_events(own: Settings) -> None:
    doctor_id, _ = doctors_in_different_partitions()
    await send(own, (record_of(command, clock.now()) for command in opened(doctor_id)))
    await decided(own)
    await execute(own, "UPDATE booking.partition_progress SET published_count = 0")
    producer = await start_producer(own, "test")
    await producer.send_and_wait(topic_name(own, SECURITY_EVENTS_TOPIC), b"{}", partition=1)
    await producer.stop()

    printed = clinic_command(own, "lag", "--json")
    assert printed.returncode == 0, printed.stderr
    report = json.loads(printed.stdout)
    assert report["unpublished_events"] == 2
    assert {(total["service"], total["topic"]): total["records"] for total in report["totals"]} == {
        ("worker", COMMANDS_TOPIC.name): 0,
        ("auditor", EVENTS_TOPIC.name): 2,
        ("auditor", SECURITY_EVENTS_TOPIC.name): 1,
        ("notifier", EVENTS_TOPIC.name): 2,
        ("notifier", LOGIN_CHALLENGES_TOPIC.name): 0,
    }
    table = clinic_command(own, "lag").stdout
    assert "2 committed events are not published yet" in table
    assert "worker" in table
