"""Dead letters on the terminal, or as JSON."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aiokafka import ConsumerRecord
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.settings import Settings
from ops.dead_letters import Letter, Redriven, open_box
from ops.replay.connection import quiet


def show_all(settings: Settings, as_json: bool) -> None:
    """Print all dead letters."""
    quiet()
    letters = asyncio.run(_all(settings))
    if as_json:
        print(json.dumps([asdict(letter) for letter in letters], indent=2, default=str))
        return
    columns = (
        "partition",
        "offset",
        "reason",
        "detail",
        "from",
        "type",
        "command",
        "set aside",
        "sent again",
    )
    table = Table(*columns, box=None, pad_edge=False)
    for letter in letters:
        source = f"{letter.source_topic} {letter.source_partition}/{letter.source_offset}"
        cells = (
            *(str(letter.partition), str(letter.offset), letter.reason, letter.detail, source, letter.type),
            *(str(letter.command_id or ""), f"{letter.set_aside_at:%Y-%m-%d %H:%M:%S}", letter.again),
        )
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(letters):,} dead letters")


def show_one(settings: Settings, partition: int, offset: int, as_json: bool) -> None:
    """Print one, with its headers and value."""
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
    console = Console(highlight=False)
    lines = [
        *asdict(letter).items(),
        ("key", content["key"]),
        *content["headers"],
        ("value", content["value"]),
    ]
    for name, value in lines:
        console.print(Text.assemble((name, "bold"), f" {value}"), soft_wrap=True)


def redrive(settings: Settings, one: tuple[int, int] | None, as_json: bool) -> bool:
    """Send one letter, or all, again. Returns whether each could be."""
    quiet()
    done = asyncio.run(_redrive(settings, one))
    if as_json:
        print(json.dumps([asdict(letter) for letter in done], indent=2, default=str))
    else:
        table = Table("partition", "offset", "sent as", "", box=None, pad_edge=False)
        for letter in done:
            colour = "green" if letter.fine else "red"
            what = Text(letter.what, colour)
            table.add_row(str(letter.partition), str(letter.offset), str(letter.sent_as or ""), what)
        Console(highlight=False).print(table)
    return all(letter.fine for letter in done)


async def _all(settings: Settings) -> Sequence[Letter]:
    async with open_box(settings) as box:
        return [await box.letter(record) async for record in box.records()]


async def _one(settings: Settings, partition: int, offset: int) -> tuple[Letter, ConsumerRecord]:
    async with open_box(settings) as box:
        record = await box.record(partition, offset)
        return await box.letter(record), record


async def _redrive(settings: Settings, one: tuple[int, int] | None) -> Sequence[Redriven]:
    async with open_box(settings) as box:
        if one is not None:
            return [await box.redrive(await box.record(*one))]
        return [await box.redrive(record) async for record in box.records()]


def _text_or_hex(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    return text if text.isprintable() and (text or not value) else f"hex {value.hex()}"
