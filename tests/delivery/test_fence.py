"""Several owners of a partition; a position that does not fit the log; another log of the same name."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import ConsumerRecord

from booking_worker import partition as partition_module
from booking_worker.store.store import SESSION
from contracts.topics import COMMANDS_TOPIC
from infra.errors import MisconfiguredError, MisplacedError
from infra.kafka.producer import start_producer
from infra.postgres import open_pool
from tests.clinic import CHECKUP, Clinic, records
from tests.delivery.ledger import check, commands_topic, settle
from tests.delivery.owners import Owner, Owners

OWNERS = 3


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
    """Append a doctor's registration and some bookings of the same slot, in one partition."""
    body = {"name": "Dr. Fence", "specialty": "tests", "visit_types": [CHECKUP]}
    sent = await clinic.send("POST", "/v1/doctors", clinic.staff, body, wait=0)
    doctor_id = sent.json()["doctor_id"]
    patient = await clinic.patient()
    for _ in range(commands - 1):
        body = {"doctor_id": doctor_id, "starts_at": "2030-01-01T09:00:00Z", "visit_type": "checkup"}
        await clinic.send("POST", "/v1/appointments", patient.headers, body, wait=0)
    return await records(clinic.settings, COMMANDS_TOPIC)


async def test_owners_at_the_same_time_decide_every_command_once(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 40)
    several = [await owners.owner(log[0].partition, publishes=True) for _ in range(OWNERS)]
    for owned in several:
        await owned.open(0, len(log))

    async def bit_by_bit(owned: Owner) -> None:
        for start in range(0, len(log), 5):
            await owned.decide(log[start : start + 5])

    await asyncio.gather(*(bit_by_bit(owned) for owned in several))

    assert [owned.next_offset for owned in several] == [len(log)] * OWNERS
    await settle(owners.clinic)
    await check(owners.clinic)


async def test_a_connection_that_has_read_nothing_yet_decides(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 3)
    owned = await owners.owner(log[0].partition)
    await owned.open(0, len(log))
    await owners.pool.expire_connections()

    await asyncio.wait_for(owned.decide(log), 60)

    assert owned.next_offset == len(log)


async def test_an_owner_that_was_frozen_and_replaced_does_nothing(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 10)
    frozen = await owners.owner(log[0].partition)
    await frozen.open(0, len(log))
    awake = await owners.owner(log[0].partition)
    await awake.open(0, len(log))
    await awake.decide(log)
    before = await owners.clinic.postgres.fetch("SELECT * FROM booking.events")

    await frozen.decide(log[:6])

    assert frozen.next_offset == len(log)
    assert await owners.clinic.postgres.fetch("SELECT * FROM booking.events") == before
    assert awake.publisher.published_count == 0


async def test_committed_but_unpublished_events_are_published_by_the_next_owner(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 10)
    first = await owners.owner(log[0].partition)
    await first.open(0, len(log))
    await first.decide(log)  # it dies before its publisher runs
    assert await owners.clinic.events() == []

    second = await owners.owner(log[0].partition, publishes=True)
    await second.open(0, len(log))

    await settle(owners.clinic)
    await check(owners.clinic)


async def test_records_after_the_position_are_refused_with_the_offset_to_seek_to(owners: Owners) -> None:
    log = await on_the_log(owners.clinic, 5)
    owned = await owners.owner(log[0].partition)
    await owned.open(0, len(log))

    with pytest.raises(MisplacedError) as caught:
        await owned.decide(log[2:])

    assert caught.value.next_offset == 0
    assert await owners.clinic.postgres.fetchval("SELECT count(*) FROM booking.decisions") == 0


async def test_dead_letters_stop_only_their_partition_in_a_shared_transaction(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_module, "DEAD_LETTERS_IN_A_ROW_MAX", 3)
    log = await on_the_log(owners.clinic, 2)
    good, bad = log[0].partition, (log[0].partition + 1) % COMMANDS_TOPIC.partitions
    for _ in range(3):
        await owners.producer.send_and_wait(commands_topic(owners.clinic), b"nonsense", partition=bad)
    log = await records(owners.clinic.settings, COMMANDS_TOPIC)
    first = await owners.owner(good)
    several = {good: first, bad: await owners.owner(bad, decider=first.decider)}
    for owner in several.values():
        await owner.open(0, 3)

    done = await asyncio.gather(
        *(
            owner.decide([record for record in log if record.partition == number])
            for number, owner in several.items()
        ),
        return_exceptions=True,
    )

    assert done[0] is None
    assert isinstance(done[1], MisconfiguredError)
    assert "3 dead letters in a row" in str(done[1])
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
    await first.decide(log)
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
        await owned.decide(log)

    assert owned.next_offset == len(log)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await frozen.execute("COMMIT")
    frozen.terminate()


async def test_who_freezes_while_a_statement_is_prepared_gives_its_rows_back(undecided: Clinic) -> None:
    assert SESSION["transaction_timeout"] == "45s"
    frozen, other = [
        await asyncpg.connect(undecided.settings.worker_dsn, server_settings=SESSION | own)
        for own in ({"transaction_timeout": "1s"}, {"lock_timeout": "10s"})
    ]
    lock = "BEGIN; LOCK TABLE booking.partition_progress IN EXCLUSIVE MODE"
    await frozen.execute(lock)
    query = b"\0SELECT 1\0\0\0"
    # As asyncpg prepares a statement: Parse and Flush, and no Sync. Postgres does not count it as idle.
    frozen._transport.write(b"P" + (4 + len(query)).to_bytes(4, "big") + query + b"H\0\0\0\4")  # type: ignore[attr-defined]

    await other.execute(lock)

    await other.close()
    frozen.terminate()
