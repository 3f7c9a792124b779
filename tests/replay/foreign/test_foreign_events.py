"""Records that no worker wrote to the events' topic are believed by nobody, and reported."""

import asyncio
from collections.abc import AsyncIterator
from itertools import islice

import pytest

from auditor.main import running_auditor
from contracts.envelope import MAC_HEADER, Message
from contracts.topics import EVENTS_TOPIC
from infra import clock
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.metrics import FOREIGN_EVENTS, PARTITION_STOPPED
from infra.settings import Settings
from notifier.main import running_notifier
from ops.audit.verify import Asked, walk
from ops.rebuild.fold_all import fold_all
from ops.replay.verify import verify_all
from tests.clinic import Clinic, database
from tests.delivery.ledger import settle
from tests.http.asking import booked
from tests.replay.conftest import copy_of, decided, execute, fetchval, servers, state
from tests.replay.foreign.forger import Forger, forge_everywhere, verified
from tests.replay.history import History
from tests.replay.sending import send
from tests.waiting import until_async

UNTIL_S = 60.0


@pytest.fixture
async def forger(clinic: Clinic) -> AsyncIterator[Forger]:
    producer = await start_producer(clinic.settings, "forger")
    yield Forger(clinic.settings, producer)
    await producer.stop()


async def follow(clinic: Clinic) -> None:
    """Waits until auditor and notifier have read all that the topic has."""
    topic = topic_name(clinic.settings, EVENTS_TOPIC)
    ends: dict[int, int] = {}
    for record in await clinic.events():
        ends[record.partition] = record.offset + 1

    async def read() -> bool:
        for schema in ("audit", "notify"):
            query = f"SELECT partition, next_offset FROM {schema}.progress WHERE topic = $1"
            rows = await clinic.postgres.fetch(query, topic)
            at = {row["partition"]: row["next_offset"] for row in rows}
            if any(at.get(partition, 0) < end for partition, end in ends.items()):
                return False
        return True

    await until_async(read, "all is read", UNTIL_S)


async def believed(clinic: Clinic, ids: list[str]) -> list[str]:
    """Those of the ids that are in the trail or in the book."""
    contents = [row["content"] for row in await clinic.postgres.fetch("SELECT content FROM audit.entries")]
    contents += [
        str(row["event_id"]) for row in await clinic.postgres.fetch("SELECT event_id FROM booking.events")
    ]
    versions = [
        row["version"] for row in await clinic.postgres.fetch("SELECT version FROM notify.appointments")
    ]
    assert 7 not in versions, "the notifier believed a forged version"
    return [id_ for id_ in ids if any(id_ in content for content in contents)]


@pytest.mark.parametrize("running", [True, False], ids=["while services run", "while they are down"])
async def test_forged_events_are_passed_over_with_an_alert(
    clinic: Clinic, forger: Forger, running: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor, patient = await clinic.doctor(), await clinic.patient()
    slots = await clinic.slots(doctor)
    await booked(clinic, patient.headers, doctor, slots[0])
    await settle(clinic)
    partition = next(record.partition for record in await clinic.events() if record.key == doctor.encode())
    topic = topic_name(clinic.settings, EVENTS_TOPIC)
    counted = FOREIGN_EVENTS.labels(topic, str(partition))
    if not running:
        ids = await forger.forge_all(partition)
    async with running_auditor(clinic.settings), running_notifier(clinic.settings):
        await follow(clinic)
        if running:
            ids = await forger.forge_all(partition)
        await follow(clinic)
        await booked(clinic, patient.headers, doctor, slots[4])
        await settle(clinic)
        await follow(clinic)

        assert await believed(clinic, ids) == []
        assert not PARTITION_STOPPED.labels(topic, str(partition))._value.get()
    assert counted._value.get() >= 2 * (len(ids) + 1), "both count each"
    assert "no worker wrote" in capsys.readouterr().out
    assert await clinic.postgres.fetchval("SELECT count(*) FROM notify.appointments") == 2
    assert await verified(clinic.settings) == []
    reports, _ = await verify_all(clinic.settings)
    assert sum(report.foreign for report in reports) == len(ids) + 1


async def test_two_histories_of_a_worker_stop_a_follower(clinic: Clinic, forger: Forger) -> None:
    """With the key: the same number, another content."""
    await clinic.doctor()
    await settle(clinic)
    last = await forger.last()
    headers = [(name, value) for name, value in last.headers if name != MAC_HEADER]
    message = Message(last.key, last.value + b" ", headers)
    mac = EventMac.load(clinic.settings)
    other = mac.added(message, last.partition)
    async with running_auditor(clinic.settings):
        await forger.append(last, list(other.headers), other.value or b"")  # type: ignore[arg-type]
        gauge = PARTITION_STOPPED.labels(last.topic, str(last.partition))

        async def stopped() -> bool:
            return bool(gauge._value.get())

        await until_async(stopped, "the partition stops", UNTIL_S)


async def test_an_entry_of_another_event_is_found(clinic: Clinic) -> None:
    doctor, patient = await clinic.doctor(), await clinic.patient()
    slots = await clinic.slots(doctor)
    await booked(clinic, patient.headers, doctor, slots[0])
    await settle(clinic)
    async with running_auditor(clinic.settings), running_notifier(clinic.settings):
        await follow(clinic)
    assert await verified(clinic.settings) == []
    [row] = await clinic.postgres.fetch("SELECT * FROM booking.events WHERE type = 'AppointmentBooked'")
    where = f"partition = {row['partition']} AND sequence = {row['sequence']}"
    for change in (
        "event_id = gen_random_uuid()",
        'data = replace(data::text, \'"starts_at":"20\', \'"starts_at":"21\')::json',
        f"data = replace(data::text, '{patient.id}', '{clock.new_id()}')::json",
        "decided_at = decided_at + interval '1 ms'",
    ):
        await clinic.postgres.execute(f"UPDATE booking.events SET {change} WHERE {where}")
        [finding] = [
            report.finding
            for report in await asyncio.to_thread(walk, clinic.settings, Asked())
            if report.finding
        ]
        assert (
            finding == f"entry {row['sequence']} is not of the event that the database has under its number"
        ), change
        await clinic.postgres.execute(
            f"UPDATE booking.events SET event_id = $1, data = $2, decided_at = $3 WHERE {where}",
            row["event_id"],
            row["data"],
            row["decided_at"],
        )
    await clinic.postgres.execute(f"DELETE FROM booking.events WHERE {where}")
    [finding] = [
        report.finding for report in await asyncio.to_thread(walk, clinic.settings, Asked()) if report.finding
    ]
    assert f"entry {row['sequence']} is of an event that no worker wrote" in str(finding)


async def test_a_worker_folds_none_with_postgres_intact(own: Settings) -> None:
    await send(own, History(clock.new_id().int, 80, doctors=3).records())
    await decided(own)
    original = await state(own)
    await forge_everywhere(own, also_where_none_is=True)

    await decided(own)

    assert await state(own) == original


async def test_a_worker_folds_none_with_postgres_older_than_the_topic(own: Settings, template: str) -> None:
    whole = History(clock.new_id().int, 200, doctors=3).records()
    await send(own, islice(whole, 80))
    await decided(own)
    async with copy_of(own) as restored:
        await send(own, islice(whole, 60))
        await decided(own)
        await forge_everywhere(own, also_where_none_is=False)
        await send(own, whole)
        await decided(own)
        await forge_everywhere(own, also_where_none_is=True)
        original = await state(own)

        await decided(restored)

        assert await state(restored) == original
    async with database(own, template) as empty:
        # Where nothing but a forged event is, and the database knows nothing, it could be an old one.
        with pytest.raises(MisconfiguredError, match="nothing tells whether an earlier release wrote these"):
            await fold_all(empty)
        await execute(empty, "UPDATE booking.partition_progress SET authenticated = true")
        assert (await fold_all(empty)).state == original


async def without_macs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide as an earlier release, whose database has no knowledge of MACs."""
    with monkeypatch.context() as earlier:
        earlier.setattr(EventMac, "added", lambda self, message, partition: message)
        await decided(settings)
    await execute(settings, "UPDATE booking.partition_progress SET authenticated = false")


async def test_events_of_a_release_without_macs_are_believed_before_the_first_mac(
    own: Settings, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = History(clock.new_id().int, 200, doctors=3).records()
    await send(own, islice(whole, 60))
    await without_macs(own, monkeypatch)
    async with copy_of(own) as restored:
        await send(own, islice(whole, 60))
        await without_macs(own, monkeypatch)
        await send(own, whole)
        await decided(own)
        await forge_everywhere(own, also_where_none_is=False)
        original = await state(own)

        await decided(restored)

        assert await state(restored) == original
    async with database(own, template) as empty:
        assert (await fold_all(empty)).state == original


async def test_a_worker_of_an_earlier_release_beside_this_one_is_believed_by_the_table(
    settings: Settings, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with servers(settings, template) as own:
        whole = History(clock.new_id().int, 120, doctors=3).records()
        await send(own, islice(whole, 60))
        await decided(own)
        await send(own, whole)
        with monkeypatch.context() as earlier:
            earlier.setattr(EventMac, "added", lambda self, message, partition: message)
            await decided(own)
        count = await fetchval(own, "SELECT count(*) FROM booking.events")
        async with running_auditor(own):

            async def all_kept() -> bool:
                return bool(await fetchval(own, "SELECT count(*) FROM audit.entries") == count)

            await until_async(all_kept, "all is in the trail", UNTIL_S)
        assert await verified(own) == []
