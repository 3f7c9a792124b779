"""`clinic replay verify`: decides every command again and compares with the recorded events and decisions."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import asyncpg
from aiokafka import ConsumerRecord, TopicPartition
from rich.markup import escape

from booking_worker.decide.command_record import read_record
from booking_worker.recovery.recorded_event import Recorded
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.kafka.connection import topic_name
from infra.kafka.reader import read_on
from infra.kafka.topic_id import topic_ids
from infra.settings import Settings
from infra.zones import zone_data_version
from ops.connections import database, log_reader, quiet
from ops.console import console, table
from ops.replay.logs import commands_of, dead_letters_of, first_since, written_by_workers
from ops.replay.other_partitions import OtherPartitions
from ops.replay.recorded_events import RecordedEvents
from ops.replay.redecide import Finding, Letters, Redecision, describe
from ops.replay.state_hash import BookHash, state_of
from storage.authentic_events import AuthenticEvents
from storage.positions import Position, read_positions


@dataclass(frozen=True)
class PartitionReport:
    """The result for a partition: numbers of commands, events and unpublished events, and the findings.

    `hours_as_recorded` is the number of decisions that were made with other zone data, by its version, where
    the rules of today would give other hours.
    `foreign`: records on the events' topic that no worker wrote, which everybody passes over.
    """

    partition: int
    commands: int
    events: int
    unpublished: int
    findings: list[Finding]
    hours_as_recorded: dict[str, int]
    foreign: int = 0


def verify(settings: Settings, as_json: bool, since: datetime | None = None) -> bool:
    """Print the numbers and every finding. Returns True if there is none.

    May run beside workers: it checks what was decided when it began. With `since`, findings about commands
    that came before are left out; those are decided again nevertheless, as later decisions build on them.

    Raises:
        ClinicError: a server is unavailable.
    """
    quiet()
    begun = clock.monotonic()
    reports, state = asyncio.run(verify_all(settings, since))
    seconds = clock.monotonic() - begun
    (_print_json if as_json else _print)(reports, state, seconds)
    return not any(report.findings for report in reports)


async def verify_all(
    settings: Settings, since: datetime | None = None
) -> tuple[list[PartitionReport], BookHash]:
    """Verify all partitions, one after the other, and hash the state."""
    topic, events = topic_name(settings, COMMANDS_TOPIC), topic_name(settings, EVENTS_TOPIC)
    ids = await topic_ids(settings, [topic, events])
    async with (
        database(settings.worker_dsn, "clinic-replay") as pool,
        log_reader(settings, COMMANDS_TOPIC, committed=True) as command_log,
        log_reader(settings, EVENTS_TOPIC) as event_log,
        log_reader(settings, DEAD_LETTERS_TOPIC, committed=True) as letter_log,
    ):
        partitions = [TopicPartition(events, number) for number in range(EVENTS_TOPIC.partitions)]
        # In this order: events are in the database before they are on the topic.
        ends = await event_log.end_offsets(partitions)
        known = await read_positions(pool, topic)
        if any(position.topic_id != ids[topic] for position in known.values()):
            raise MisconfiguredError(f"{topic} is not the topic that was decided so far: it has another id.")
        positions = {
            number: Position(number, ids[topic]) for number in range(COMMANDS_TOPIC.partitions)
        } | known
        others, reports, authentic = OtherPartitions(pool), [], AuthenticEvents(EventMac.load(settings))
        for number, position in positions.items():
            letters = await dead_letters_of(letter_log, settings, number, str(ids[topic]))
            foreign_before = authentic.foreign
            on_topic = read_on(event_log, partitions[number], 0, ends[partitions[number]])
            of_commands = TopicPartition(topic, number)
            first = await first_since(command_log, of_commands, since, position.next_offset)
            report = await verify_partition(
                pool,
                others,
                position,
                letters,
                commands_of(command_log, of_commands, position.next_offset),
                written_by_workers(authentic, pool, number, on_topic),
                first,
            )
            reports.append(replace(report, foreign=authentic.foreign - foreign_before))
        async with pool.acquire() as connection:
            return reports, await state_of(connection, topic)


async def verify_partition(
    pool: asyncpg.Pool,
    others: OtherPartitions,
    position: Position,
    letters: Letters,
    commands: AsyncIterator[list[ConsumerRecord]],
    events: AsyncIterator[list[ConsumerRecord]],
    first: int = 0,
) -> PartitionReport:
    """Verify a partition by its records on both topics; only findings from the offset `first` on."""
    recorded = RecordedEvents(pool, position, events, first)
    redecision = Redecision(others, letters)
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
                await redecision.take(read_record(record), next_group)
                next_group = await anext(groups, None)
            else:
                await redecision.take(read_record(record), [])
    while next_group is not None:
        redecision.findings.append(_of_no_command(position, next_group))
        next_group = await anext(groups, None)
    findings = [
        finding
        for finding in (*recorded.findings, *redecision.findings)
        if finding.offset is None or finding.offset >= first
    ]
    if offset + 1 != position.next_offset:
        problem = (
            f"the log has commands up to offset {offset}, and all before {position.next_offset} are decided"
        )
        findings.append(Finding(position.partition, None, None, problem))
    findings.sort(key=lambda finding: -1 if finding.offset is None else finding.offset)
    return PartitionReport(
        partition=position.partition,
        commands=redecision.commands,
        events=position.event_count,
        unpublished=recorded.unpublished,
        findings=findings,
        hours_as_recorded=dict(redecision.hours_as_recorded),
    )


def _offset(group: list[Recorded]) -> int:
    return group[0].event.context.source.offset


def _of_no_command(position: Position, group: list[Recorded]) -> Finding:
    context = group[0].event.context
    problem = f"event {group[0].row.sequence}: its offset has no command, or one that was decided before"
    facts = describe([recorded.event.fact for recorded in group])
    return Finding(position.partition, context.source.offset, context.command_id, problem, facts)


def _hours_as_recorded(reports: list[PartitionReport]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.hours_as_recorded)
    return counts


def _print_json(reports: list[PartitionReport], state: BookHash, seconds: float) -> None:
    commands = sum(report.commands for report in reports)
    summary = {
        "commands": commands,
        "findings": sum(len(report.findings) for report in reports),
        "hours_as_recorded": _hours_as_recorded(reports),
        "seconds": round(seconds, 3),
        "commands_per_s": round(commands / seconds),
        "state": asdict(state),
        "partitions": [asdict(report) for report in reports],
    }
    print(json.dumps(summary, indent=2, default=str))


def _print(reports: list[PartitionReport], state: BookHash, seconds: float) -> None:
    rows = table("partition", "commands", "events", "not published", "foreign", "")
    for report in reports:
        count = len(report.findings)
        found = f"[red]{count} findings[/]" if count else "[green]fits[/]"
        figures = (report.partition, report.commands, report.events, report.unpublished, report.foreign)
        rows.add_row(*(f"{number:,}" for number in figures), found)
    out = console()
    out.print(rows)
    for finding in (finding for report in reports for finding in report.findings):
        where = f"{finding.partition}/{'–' if finding.offset is None else finding.offset}"
        out.print(f"{where} {finding.command_id or ''} [red]{escape(finding.problem)}[/]", soft_wrap=True)
        for name, said in (("recorded", finding.recorded), ("decided", finding.decided)):
            if said:
                out.print(f"    {name}: {escape(said)}", soft_wrap=True)
    for version, count in sorted(_hours_as_recorded(reports).items()):
        other = f"{count:,} decisions were made with zone data {version}, not with {zone_data_version()}"
        out.print(f"{other}: whether they lay within the hours is taken as recorded", soft_wrap=True)
    commands = sum(report.commands for report in reports)
    out.print(f"{commands:,} commands in {seconds:.1f} s, {commands / seconds:,.0f} per second")
    out.print(f"state {state.hash}", soft_wrap=True)
