"""Dead letters on the terminal, or as JSON."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aiokafka import ConsumerRecord
from rich.text import Text

from infra.settings import Settings
from ops.connections import quiet
from ops.console import console, table
from ops.dlq.dead_letters import DeadLetter, Redriven, open_box


def show_all(settings: Settings, as_json: bool) -> None:
    """Print all dead letters."""
    quiet()
    letters = asyncio.run(_all(settings))
    if as_json:
        print(json.dumps([asdict(letter) for letter in letters], indent=2, default=str))
        return
    rows = table(
        "partition", "offset", "reason", "detail", "from", "type", "command", "set aside", "sent again"
    )
    for letter in letters:
        source = f"{letter.source_topic} {letter.source_partition}/{letter.source_offset}"
        rows.add_row(
            str(letter.partition),
            str(letter.offset),
            Text(letter.reason),
            Text(letter.detail),
            Text(source),
            Text(letter.type),
            str(letter.command_id or ""),
            f"{letter.set_aside_at:%Y-%m-%d %H:%M:%S}",
            Text(letter.again),
        )
    screen = console()
    screen.print(rows)
    screen.print(f"{len(letters):,} dead letters")


def show_dead_letter(settings: Settings, partition: int, offset: int, as_json: bool) -> None:
    """Print a dead letter with its headers and value."""
    quiet()
    letter, record = asyncio.run(_one(settings, partition, offset))
    content: dict[str, Any] = {
        "key": _text_or_hex(record.key),
        "headers": [(name, _text_or_hex(value)) for name, value in record.headers],
        "value": _text_or_hex(record.value),
    }
    if as_json:
        print(json.dumps({**asdict(letter), **content}, indent=2, default=str))
        return
    screen = console()
    lines = [
        *asdict(letter).items(),
        ("key", content["key"]),
        *content["headers"],
        ("value", content["value"]),
    ]
    for name, value in lines:
        screen.print(Text.assemble((name, "bold"), f" {value}"), soft_wrap=True)


def redrive(settings: Settings, position: tuple[int, int] | None, as_json: bool) -> bool:
    """Redrive one dead letter, or all. Returns True if all could be redriven."""
    quiet()
    done = asyncio.run(_redrive(settings, position))
    if as_json:
        print(json.dumps([asdict(letter) for letter in done], indent=2, default=str))
    else:
        rows = table("partition", "offset", "sent as", "")
        for letter in done:
            colour = "green" if letter.fine else "red"
            outcome = Text(letter.outcome, colour)
            rows.add_row(str(letter.partition), str(letter.offset), str(letter.sent_as or ""), outcome)
        console().print(rows)
    return all(letter.fine for letter in done)


async def _all(settings: Settings) -> Sequence[DeadLetter]:
    async with open_box(settings) as box:
        return [await box.letter(record) async for record in box.records()]


async def _one(settings: Settings, partition: int, offset: int) -> tuple[DeadLetter, ConsumerRecord]:
    async with open_box(settings) as box:
        record = await box.record(partition, offset)
        return await box.letter(record), record


async def _redrive(settings: Settings, position: tuple[int, int] | None) -> Sequence[Redriven]:
    async with open_box(settings) as box:
        if position is not None:
            return [await box.redrive(await box.record(*position))]
        return [await box.redrive(record) async for record in box.records()]


def _text_or_hex(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    return text if text.isprintable() and (text or not value) else f"hex {value.hex()}"
