"""`clinic replay verify`: every command decided again, and every event and decision held against it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from booking_worker.event_log import read_on
from booking_worker.incoming import read
from booking_worker.recorded import Recorded
from contracts.dead_letters import origin_of
from contracts.topics import COMMANDS, DEAD_LETTERS, EVENTS
from infra.errors import MisconfiguredError
from infra.kafka import bounds, topic_ids, topic_name
from infra.settings import Settings
from ops.replay.connection import database, log_reader, quiet
from ops.replay.elsewhere import Elsewhere
from ops.replay.recorded_events import Position, RecordedEvents
from ops.replay.redeciding import Finding, Letters, Redecision, describe
from ops.replay.state_hash import State, state_of


@dataclass(frozen=True)
class Report:
    """A partition: how much was looked at, what is committed and not published yet, and what does not fit."""

    partition: int
    commands: int
    events: int
    unpublished: int
    findings: list[Finding]


def verify(settings: Settings, as_json: bool) -> bool:
    """Print what was looked at, and every finding. Returns whether there is none.

    May run beside workers: it looks at what was decided when it began.

    Raises:
        ClinicError: a server is away.
    """
    quiet()
    begun = time.monotonic()
    reports, state = asyncio.run(verify_all(settings))
    seconds = time.monotonic() - begun
    (_print_json if as_json else _print)(reports, state, seconds)
    return not any(report.findings for report in reports)


async def verify_all(settings: Settings) -> tuple[list[Report], State]:
    """The same without printing: all partitions, one after the other, and the state's hash."""
    topic, events = topic_name(settings, COMMANDS), topic_name(settings, EVENTS)
    ids = await topic_ids(settings, [topic, events])
    async with (
        database(settings.worker_dsn) as pool,
        log_reader(settings, COMMANDS) as command_log,
        log_reader(settings, EVENTS) as event_log,
        log_reader(settings, DEAD_LETTERS, committed=True) as letter_log,
    ):
        places = [TopicPartition(events, number) for number in range(EVENTS.partitions)]
        # In this order: what is on the topic was in the database before.
        ends = await event_log.end_offsets(places)
        rows = await pool.fetch("SELECT * FROM booking.partition_progress WHERE topic = $1", topic)
        if any(row["topic_id"] != ids[topic] for row in rows):
            raise MisconfiguredError(f"{topic} is not the topic that was decided so far: it has another id.")
        positions = {number: Position(number) for number in range(COMMANDS.partitions)}
        positions |= {
            row["partition"]: Position(*(row[name] for name in Position.__dataclass_fields__)) for row in rows
        }
        elsewhere, reports = Elsewhere(pool), []
        for number, position in positions.items():
            letters = await _letters(letter_log, settings, number, str(ids[topic]))
            reports.append(
                await verify_partition(
                    pool,
                    elsewhere,
                    position,
                    letters,
                    _commands(command_log, TopicPartition(topic, number), position.next_offset),
                    read_on(event_log, places[number], 0, ends[places[number]]),
                )
            )
        async with pool.acquire() as connection:
            return reports, await state_of(connection, topic)


async def verify_partition(
    pool: asyncpg.Pool,
    elsewhere: Elsewhere,
    position: Position,
    letters: Letters,
    commands: AsyncIterator[list[ConsumerRecord]],
    events: AsyncIterator[list[ConsumerRecord]],
) -> Report:
    """One partition, from its records on both topics."""
    recorded = RecordedEvents(pool, position, events)
    redecision = Redecision(elsewhere, letters)
    groups = recorded.by_command()
    next_group = await anext(groups, None)
    offset = -1
    async for records in commands:
        for record in records:
            offset = record.offset
            while next_group is not None and _offset(next_group) < offset:
                redecision.findings.append(_of_no_command(position, next_group))
                next_group = await anext(groups, None)
            if next_group is not None and _offset(next_group) == offset:
                await redecision.take(read(record), next_group)
                next_group = await anext(groups, None)
            else:
                await redecision.take(read(record), [])
    while next_group is not None:
        redecision.findings.append(_of_no_command(position, next_group))
        next_group = await anext(groups, None)
    findings = [*recorded.findings, *redecision.findings]
    if offset + 1 != position.next_offset:
        what = (
            f"the log has commands up to offset {offset}, and all before {position.next_offset} are decided"
        )
        findings.append(Finding(position.partition, None, None, what))
    findings.sort(key=lambda finding: -1 if finding.offset is None else finding.offset)
    return Report(
        position.partition, redecision.commands, position.event_count, recorded.unpublished, findings
    )


def _offset(group: list[Recorded]) -> int:
    return group[0].event.context.source.offset


def _of_no_command(position: Position, group: list[Recorded]) -> Finding:
    context = group[0].event.context
    what = f"event {group[0].row.sequence}: no command stands there, or its turn is over"
    facts = describe([one.event.fact for one in group])
    return Finding(position.partition, context.source.offset, context.command_id, what, facts)


async def _commands(
    consumer: AIOKafkaConsumer, place: TopicPartition, next_offset: int
) -> AsyncIterator[list[ConsumerRecord]]:
    begin, end = await bounds(consumer, place)
    async for records in read_on(consumer, place, begin, min(end, next_offset)):
        yield records


async def _letters(consumer: AIOKafkaConsumer, settings: Settings, number: int, topic_id: str) -> Letters:
    place = TopicPartition(topic_name(settings, DEAD_LETTERS), number)
    begin, end = await bounds(consumer, place)
    reasons = {}
    async for records in read_on(consumer, place, begin, end):
        for record in records:
            origin = origin_of(record.headers)
            if origin and (str(origin.topic_id), origin.partition) == (topic_id, number):
                reasons[origin.offset] = origin.reason
    return Letters(reasons, kept=begin == 0)


def _print_json(reports: list[Report], state: State, seconds: float) -> None:
    commands = sum(report.commands for report in reports)
    summary = {
        "commands": commands,
        "findings": sum(len(report.findings) for report in reports),
        "seconds": round(seconds, 3),
        "commands_per_s": round(commands / seconds),
        "state": asdict(state),
        "partitions": [asdict(report) for report in reports],
    }
    print(json.dumps(summary, indent=2, default=str))


def _print(reports: list[Report], state: State, seconds: float) -> None:
    table = Table("partition", "commands", "events", "not published", "", box=None, pad_edge=False)
    for report in reports:
        count = len(report.findings)
        found = f"[red]{count} findings[/]" if count else "[green]fits[/]"
        figures = (report.partition, report.commands, report.events, report.unpublished)
        table.add_row(*(f"{number:,}" for number in figures), found)
    console = Console(highlight=False)
    console.print(table)
    for finding in (finding for report in reports for finding in report.findings):
        where = f"{finding.partition}/{'–' if finding.offset is None else finding.offset}"
        console.print(f"{where} {finding.command_id or ''} [red]{escape(finding.what)}[/]", soft_wrap=True)
        for name, said in (("recorded", finding.recorded), ("decided", finding.decided)):
            if said:
                console.print(f"    {name}: {escape(said)}", soft_wrap=True)
    commands = sum(report.commands for report in reports)
    console.print(f"{commands:,} commands in {seconds:.1f} s, {commands / seconds:,.0f} per second")
    console.print(f"state {state.hash}", soft_wrap=True)
