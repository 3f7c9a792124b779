"""`clinic audit export`: the trail as NDJSON, resumable, chain after chain."""

import contextlib
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import asyncpg

from auditor.reading import in_order
from contracts.audit import Chain
from contracts.fields import rfc3339
from infra.errors import ClinicError
from infra.settings import Settings
from ops.audit.connection import trail

BLOCK = 2_000
GZIP_MAGIC = b"\x1f\x8b"
LINE_BEGINS = b'{"chain":"'
_CURSOR = re.compile(r"(booking|security)/(\d{1,5})=(\d{1,18})", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)

Place = tuple[str, int]
"""A chain and a partition."""


class CursorError(ClinicError):
    """That is no place to go on from."""


@dataclass(frozen=True)
class Wanted:
    """Which chains to export, and the last number that somebody has of each."""

    chain: str | None = None
    partition: int | None = None
    last: Mapping[Place, int] = field(default_factory=dict)

    @classmethod
    def read(cls, chain: str | None, partition: int | None, since: str | None) -> "Wanted":
        """`since` is a cursor, the path of an earlier export, or one chain's number.

        Raises:
            CursorError: it is none of these.
        """
        if since is None:
            return cls(chain, partition)
        if _NUMBER.fullmatch(since):
            if chain is None or partition is None:
                raise CursorError("A number needs --chain and --partition.")
            return cls(chain, partition, {(chain, partition): int(since)})
        if os.path.isfile(since):  # False also for what is no path
            return cls(chain, partition, _last_of(Path(since)))
        found = [_CURSOR.fullmatch(part) for part in since.split(",")]
        if not all(found):
            raise CursorError("This is neither a cursor nor a file.")
        return cls(chain, partition, {(one[1], int(one[2])): int(one[3]) for one in found if one})


async def export(settings: Settings, wanted: Wanted, out: IO[bytes], *, compress: bool) -> str:
    """Write an entry a line, and return the cursor behind them.

    `content` stands as it was hashed (RFC 8785). One snapshot: entries that come meanwhile are for next time.

    Raises:
        ClinicError: Postgres is away.
    """
    last = dict(wanted.last)
    async with (
        trail(settings) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await in_order(connection)
        ends = await connection.fetch("SELECT chain, partition FROM audit.chains ORDER BY chain, partition")
        with gzip.GzipFile(fileobj=out, mode="wb") if compress else contextlib.nullcontext(out) as lines:
            for chain, partition in ends:
                if wanted.chain in (None, chain) and wanted.partition in (None, partition):
                    await _write_chain(connection, Chain(chain), partition, last, lines)
    out.flush()
    return ",".join(f"{chain}/{partition}={number}" for (chain, partition), number in sorted(last.items()))


async def _write_chain(
    connection: Any, chain: Chain, partition: int, last: dict[Place, int], out: Any
) -> None:
    cursor = await connection.cursor(
        """
        SELECT number, recorded_at, hash, content FROM audit.entries
        WHERE chain = $1 AND partition = $2 AND number > $3 ORDER BY number, occurred_at
        """,
        *(chain, partition, last.get((chain, partition), 0)),
    )
    while rows := await cursor.fetch(BLOCK):
        out.write("".join(_line(chain, partition, row) for row in rows).encode())
        last[chain.value, partition] = rows[-1]["number"]


def _line(chain: Chain, partition: int, row: asyncpg.Record) -> str:
    number, recorded_at, hash_, content = row
    return (
        f'{{"chain":"{chain}","partition":{partition},"number":{number},'
        f'"recorded_at":"{rfc3339(recorded_at)}","hash":"{hash_.hex()}","content":{content}}}\n'
    )


def opened(out: Path, since: str | None, *, compress: bool) -> IO[bytes]:
    """The file to write: anew, or, where it is the export to go on from, behind its last whole line.

    Raises:
        CursorError: that one is compressed, or was to be: what follows would not be part of it.
    """
    if since is None or not (out.is_file() and Path(since).is_file() and out.samefile(since)):
        return out.open("wb")
    with out.open("rb") as file:
        if compress or file.read(2) == GZIP_MAGIC:
            raise CursorError("A compressed export is not gone on with in the same file: name another.")
    os.truncate(out, sum(len(line) for line in _whole_lines(out)))
    return out.open("ab")


def _last_of(path: Path) -> dict[Place, int]:
    last: dict[Place, int] = {}
    for line in _whole_lines(path):
        try:
            entry = json.loads(line)
            place = (str(entry["chain"]), int(entry["partition"]))
            last[place] = max(last.get(place, 0), int(entry["number"]))
        except (ValueError, KeyError, TypeError):
            raise CursorError(f"{path} is no export of the trail.") from None
    return last


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of an export; what was cut off in the middle of one is left out.

    Raises:
        CursorError: it cannot be read, or is no export.
    """
    try:
        with path.open("rb") as file, contextlib.suppress(EOFError):
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            for line in gzip.GzipFile(fileobj=file) if packed else file:
                if line.endswith(b"\n"):
                    yield line
                elif line[: len(LINE_BEGINS)] != LINE_BEGINS[: len(line)]:
                    raise CursorError(f"{path} is no export of the trail.")
    except (OSError, zlib.error) as error:
        raise CursorError(f"{path} cannot be read: {error}.") from None
