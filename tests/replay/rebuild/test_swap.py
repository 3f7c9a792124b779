"""The fresh tables take the place of the book's at once, and are all that those were."""

import asyncio
import json
from uuid import UUID

import asyncpg
import pytest

from booking_worker.decide.decision_batch import event_id
from booking_worker.recovery.recorded_event import recorded
from contracts.topics import EVENTS_TOPIC
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from ops.rebuild import fold_all as rebuild
from ops.rebuild import swap
from ops.rebuild.fold_all import fold_all
from tests.clinic import database, records
from tests.replay.conftest import Seeded, copy_of, decided, execute, fetchval, positions, state
from tests.replay.history import History
from tests.replay.sending import send
from tests.waiting import until_async

OTHER = UUID("99999999-2222-4333-8444-555555555555")
# Each line says one thing about a table or view of the book; the order of its columns among them.
CATALOG = """
SELECT string_agg(said, E'\n' ORDER BY said) FROM (
    SELECT format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid)) || conname AS said
    FROM pg_constraint WHERE connamespace = 'booking'::regnamespace AND contype <> 'n'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'booking'
    UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = 'booking'::regnamespace AND NOT tgisinternal
    UNION ALL SELECT format('%s %s %s %s %s', oid::regclass, relkind, reloptions, relowner::regrole,
        obj_description(oid, 'pg_class'))
    FROM pg_class WHERE relnamespace = 'booking'::regnamespace AND relkind IN ('r', 'v')
    UNION ALL SELECT format('%s: %s', oid::regclass, acl) FROM pg_class, unnest(relacl) AS acl
    WHERE relnamespace = 'booking'::regnamespace
    UNION ALL SELECT format('%s %s %s %s %s %s %s', attrelid::regclass, attnum, attname, atttypid::regtype,
        attnotnull, pg_get_expr(adbin, adrelid), col_description(attrelid, attnum))
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'booking'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0
    UNION ALL SELECT viewname || definition FROM pg_views WHERE schemaname = 'booking'
) AS everything
"""

WAITS = """
SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def test_nothing_but_rows_tells_them_apart(seeded: Seeded) -> None:
    async with copy_of(seeded.settings) as book:
        before = await fetchval(book, CATALOG)
        await fold_all(book)
        assert await fetchval(book, CATALOG) == before
        assert "slot_taken" in before
        assert "clinic_worker" in before
        assert await fetchval(book, "SELECT to_regnamespace('booking_fresh') IS NULL")


async def test_statements_that_were_prepared_before_read_the_new_tables(seeded: Seeded) -> None:
    query = "SELECT count(*) FROM booking.decisions"
    async with copy_of(seeded.settings) as book:
        reader = await asyncpg.connect(book.ingress_dsn)
        try:
            statement = await reader.prepare(query)
            whole = await statement.fetchval()
            await execute(book, "DELETE FROM booking.decisions")
            assert await statement.fetchval() == 0
            await fold_all(book)
            assert await statement.fetchval() == whole > 0
        finally:
            await reader.close()


async def test_it_waits_for_whoever_reads_the_book(seeded: Seeded) -> None:
    original = await state(seeded.settings)
    async with copy_of(seeded.settings) as book:
        reader = await asyncpg.connect(book.ingress_dsn)
        try:
            async with reader.transaction():
                await reader.fetchval("SELECT count(*) FROM booking.appointments")
                rebuilding = asyncio.create_task(fold_all(book))
                await until_async(lambda: fetchval(book, WAITS), "it waits for the lock", 60)
                assert not rebuilding.done()
            assert (await rebuilding).state == original
        finally:
            await reader.close()


async def test_decisions_in_the_meantime_stop_it(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    async with copy_of(seeded.settings) as book:

        async def decide(*_: object) -> None:
            await execute(
                book,
                "UPDATE booking.partition_progress SET next_offset = next_offset + 1 WHERE partition = 3",
            )

        before = await state(book)
        monkeypatch.setattr(rebuild, "_complete", decide)
        with pytest.raises(MisconfiguredError, match="decided commands meanwhile"):
            await fold_all(book)
        assert await state(book) == before


async def test_whoever_reads_it_without_an_end_is_named_and_nothing_is_left(
    seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "TRIES", 2)
    async with copy_of(seeded.settings) as book:
        reader = await asyncpg.connect(book.ingress_dsn, server_settings={"application_name": "a dump"})
        try:
            async with reader.transaction():
                await reader.fetchval("SELECT count(*) FROM booking.doctor_books")
                with pytest.raises(MisconfiguredError, match=r"a dump \(process \d+\) reads the book"):
                    await fold_all(book)
        finally:
            await reader.close()
        assert await fetchval(book, "SELECT to_regnamespace('booking_fresh') IS NULL")


async def test_what_a_migration_did_not_make_is_not_lost(seeded: Seeded) -> None:
    async with copy_of(seeded.settings) as book:
        await execute(book, "CREATE VIEW public.of_the_operator AS SELECT id FROM booking.appointments")
        await execute(book, "GRANT SELECT (id) ON booking.doctors TO clinic_notifier")
        with pytest.raises(MisconfiguredError, match=r"columns of doctors, the view of_the_operator"):
            await fold_all(book)


async def test_only_one_at_a_time_and_no_migration(seeded: Seeded) -> None:
    async with copy_of(seeded.settings) as book:
        other = await asyncpg.connect(book.postgres_dsn.get_secret_value())
        try:
            async with other.transaction():
                # As a migration has it.
                await other.execute("LOCK TABLE schema_version IN ROW EXCLUSIVE MODE")
                with pytest.raises(MisconfiguredError, match="Another rebuild or a migration is running"):
                    await fold_all(book)
        finally:
            await other.close()


async def test_events_that_contradict_each_other_are_no_book(own: Settings, template: str) -> None:
    """A booking for a time that is taken, with a MAC: no worker writes such a thing."""
    await send(own, History(5, 60).records())
    await decided(own)
    booked = await fetchval(
        own, "SELECT array_agg(id::text) FROM booking.appointments WHERE status = 'booked' AND version = 1"
    )
    events = [recorded(record).row for record in await records(own, EVENTS_TOPIC)]
    event = next(event for event in events if event.subject in booked and event.type == "AppointmentBooked")
    position = (await positions(own))[event.partition]
    data = json.loads(event.data)
    data |= {"command_id": str(OTHER), "appointment_id": str(OTHER), "patient_id": str(OTHER)}
    data["source"]["offset"] = position.next_offset
    twice = event._replace(
        sequence=position.event_count + 1,
        event_id=event_id(OTHER, 0),
        subject=str(OTHER),
        command_id=OTHER,
        data=json.dumps(data),
    )
    producer = await start_producer(own, "test")
    message = EventMac.load(own).added(twice.message(), twice.partition)
    await producer.send_and_wait(
        topic_name(own, EVENTS_TOPIC), partition=twice.partition, **message._asdict()
    )
    await producer.stop()
    async with database(own, template) as empty:
        with pytest.raises(MisconfiguredError, match=r"contradict each other: .*slot_taken"):
            await fold_all(empty)
        assert (await state(empty)).rows["appointments"] == 0
