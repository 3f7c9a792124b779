"""Two who both believe to own a partition; a position that does not fit; a log that is not the one."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord

from booking_worker import partition as partition_module
from booking_worker.dead_letters import DeadLetters
from booking_worker.decider import Decider
from booking_worker.partition import MisplacedError, OwnedPartition
from booking_worker.publisher import EventPublisher
from booking_worker.sql import SESSION
from contracts.topics import COMMANDS, DEAD_LETTERS, EVENTS
from infra.errors import MisconfiguredError
from infra.kafka import start_producer, topic_ids, topic_name
from infra.postgres import open_pool
from tests.clinic import CHECKUP, Clinic, records
from tests.delivery.ledger import check, commands_topic, settle

OWNERS = 3


class Owner:
    """Who believes to own a partition: decides, and publishes once `publisher.run` is started."""

    def __init__(self, pool: asyncpg.Pool, owned: OwnedPartition, decider: Decider) -> None:
        self.publisher = owned.publisher
        self._pool = pool
        self.owned = owned
        self.decider = decider

    @property
    def next_offset(self) -> int:
        return self.owned.next_offset

    async def open(self, log_start: int, log_end: int) -> None:
        await self.owned.open(self._pool)
        self.owned.check_within(log_start, log_end)

    async def work_off(self, log: list[ConsumerRecord]) -> None:
        """Decide the records; raises what stops the partition."""
        for error in (await self.decider.work_off({self.owned: log})).values():
            raise error


class Owners:
    """Several owners of the same partition, each with its own memory, and what they published."""

    def __init__(self, clinic: Clinic, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
        self.clinic = clinic
        self._pool = pool
        self.producer = producer
        self._dead_letters: list[DeadLetters] = []

    async def owner(self, partition: int, topic_id: UUID | None = None) -> Owner:
        """One more, not open yet."""
        settings, topic = self.clinic.settings, commands_topic(self.clinic)
        ids = await topic_ids(settings, [topic])
        events = topic_name(settings, EVENTS)
        publisher = EventPublisher(self.producer, events, partition, self._pool, topic, _no_give_up)
        dead_letters = DeadLetters(settings, "owner", topic_name(settings, DEAD_LETTERS), ids[topic])
        self._dead_letters.append(dead_letters)
        decider = Decider(self._pool, topic, dead_letters, lambda decisions: None)
        owned = OwnedPartition(topic, topic_id or ids[topic], partition, publisher)
        return Owner(self._pool, owned, decider)

    async def close(self) -> None:
        """Shut all of them down."""
        await asyncio.gather(*(dead_letters.close() for dead_letters in self._dead_letters))


def _no_give_up(error: Exception) -> None:
    raise AssertionError("the producer broke") from error


@pytest.fixture
async def owners(undecided: Clinic) -> AsyncIterator[Owners]:
    pool = await open_pool(
        undecided.settings.worker_dsn, "owners", connections_max=8, server_settings=SESSION
    )
    producer = await start_producer(undecided.settings, "owners")
    owners = Owners(undecided, pool, producer)
    yield owners
    await owners.close()
    await producer.stop()
    await pool.close()


async def on_the_log(clinic: Clinic, commands: int) -> list[ConsumerRecord]:
    """A doctor's registration and some bookings of the same slot, in one partition."""
    body = {"name": "Dr. Fence", "specialty": "tests", "visit_types": [CHECKUP]}
    sent = await clinic.send("POST", "/v1/doctors", clinic.staff, body, wait=0)
    doctor_id = sent.json()["doctor_id"]
    patient = await clinic.patient()
    for _ in range(commands - 1):
        body = {"doctor_id": doctor_id, "starts_at": "2030-01-01T09:00:00Z", "visit_type": "checkup"}
        await clinic.send("POST", "/v1/appointments", patient.headers, body, wait=0)
    return await records(clinic.settings, COMMANDS)


async def test_owners_at_the_same_time_decide_every_command_once(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 40)
    several = [await owners.owner(log[0].partition) for _ in range(OWNERS)]
    for owned in several:
        await owned.open(0, len(log))
    publishing = [asyncio.create_task(owned.publisher.run()) for owned in several]

    async def bit_by_bit(owned: Owner) -> None:
        for place in range(0, len(log), 5):
            await owned.work_off(log[place : place + 5])

    await asyncio.gather(*(bit_by_bit(owned) for owned in several))

    assert [owned.next_offset for owned in several] == [len(log)] * OWNERS
    await settle(owners.clinic)
    await check(owners.clinic)
    for task in publishing:
        task.cancel()
    await asyncio.gather(*publishing, return_exceptions=True)


async def test_one_that_was_frozen_and_overtaken_does_nothing(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 10)
    frozen = await owners.owner(log[0].partition)
    await frozen.open(0, len(log))
    awake = await owners.owner(log[0].partition)
    await awake.open(0, len(log))
    await awake.work_off(log)
    before = await owners.clinic.postgres.fetch("SELECT * FROM booking.events")

    await frozen.work_off(log[:6])

    assert frozen.next_offset == len(log)
    assert await owners.clinic.postgres.fetch("SELECT * FROM booking.events") == before
    assert awake.publisher.published_count == 0


async def test_what_was_committed_and_not_published_is_published_by_the_next_owner(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 10)
    first = await owners.owner(log[0].partition)
    await first.open(0, len(log))
    await first.work_off(log)  # and is gone before its publisher ran
    assert await owners.clinic.events() == []

    second = await owners.owner(log[0].partition)
    await second.open(0, len(log))
    publishing = asyncio.create_task(second.publisher.run())

    await settle(owners.clinic)
    await check(owners.clinic)
    publishing.cancel()


async def test_records_behind_the_position_are_refused_with_the_place_to_seek_to(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 5)
    owned = await owners.owner(log[0].partition)
    await owned.open(0, len(log))

    with pytest.raises(MisplacedError) as caught:
        await owned.work_off(log[2:])

    assert caught.value.next_offset == 0
    assert await owners.clinic.postgres.fetchval("SELECT count(*) FROM booking.decisions") == 0


async def test_dead_letters_stop_their_partition_also_where_others_share_the_transaction(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_module, "DEAD_LETTERS_IN_A_ROW_MAX", 3)
    log = await on_the_log(owners.clinic, 2)
    good, bad = log[0].partition, (log[0].partition + 1) % COMMANDS.partitions
    for _ in range(3):
        await owners.producer.send_and_wait(commands_topic(owners.clinic), b"nonsense", partition=bad)
    log = await records(owners.clinic.settings, COMMANDS)
    several = {number: await owners.owner(number) for number in (good, bad)}
    for owner in several.values():
        await owner.open(0, 3)

    stopped = await several[good].decider.work_off(
        {
            owner.owned: [record for record in log if record.partition == number]
            for number, owner in several.items()
        }
    )

    assert list(stopped) == [several[bad].owned]
    assert "3 dead letters in a row" in str(stopped[several[bad].owned])
    assert [several[number].next_offset for number in (good, bad)] == [2, 3]


async def test_another_topic_of_the_same_name_stops_the_partition(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 2)
    first = await owners.owner(log[0].partition)
    await first.open(0, len(log))
    stranger = await owners.owner(log[0].partition, topic_id=uuid4())

    with pytest.raises(MisconfiguredError, match="is not the one that was decided so far"):
        await stranger.open(0, len(log))


@pytest.mark.parametrize(("log_start", "log_end"), [(0, 3), (6, 9)])
async def test_a_log_without_the_next_record_stops_the_partition(
    owners: Owners, log_start: int, log_end: int
) -> None:
    log = await on_the_log(owners.clinic, 5)
    first = await owners.owner(log[0].partition)
    await first.open(0, len(log))
    await first.work_off(log)
    second = await owners.owner(log[0].partition)

    with pytest.raises(MisconfiguredError, match=f"the log goes from {log_start} to {log_end}"):
        await second.open(log_start, log_end)


async def test_a_worker_frozen_inside_its_transaction_loses_the_row(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 3)
    owned = await owners.owner(log[0].partition)
    await owned.open(0, len(log))
    settings = owners.clinic.settings
    frozen = await asyncpg.connect(settings.worker_dsn, server_settings=SESSION)
    await frozen.execute("BEGIN")
    await frozen.execute("SELECT FROM booking.partition_progress FOR UPDATE")

    async with asyncio.timeout(15):
        await owned.work_off(log)

    assert owned.next_offset == len(log)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await frozen.execute("COMMIT")
    frozen.terminate()
