"""`clinic audit export`: the trail as NDJSON, chain by chain, resumable."""

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

from auditor.reading import read_in_order
from contracts.audit import Chain
from infra.errors import ClinicError
from infra.settings import Settings
from ops.connections import database
from storage.audit import entry_line

BLOCK = 2_000
GZIP_MAGIC = b"\x1f\x8b"
LINE_BEGINS = b'{"chain":"'
_CURSOR = re.compile(r"(booking|security)/(\d{1,5})=(\d{1,18})", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)

ChainKey = tuple[str, int]
"""A chain and a partition."""


class CursorError(ClinicError):
    """An export cannot be resumed from this cursor or file."""


@dataclass(frozen=True)
class ExportScope:
    """The chains to export, and the last number of each that was exported before."""

    chain: str | None = None
    partition: int | None = None
    last: Mapping[ChainKey, int] = field(default_factory=dict)

    @classmethod
    def read(cls, chain: str | None, partition: int | None, since: str | None) -> "ExportScope":
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
        if os.path.isfile(since):  # also False for an invalid path
            return cls(chain, partition, _last_of(Path(since)))
        found = [_CURSOR.fullmatch(part) for part in since.split(",")]
        if not all(found):
            raise CursorError("This is neither a cursor nor a file.")
        return cls(chain, partition, {(match[1], int(match[2])): int(match[3]) for match in found if match})


async def export(settings: Settings, wanted: ExportScope, out: IO[bytes], *, compress: bool) -> str:
    """Write one entry per line and return the cursor after the last one.

    `content` is written as it was hashed (RFC 8785). All entries come from one snapshot.

    Raises:
        ClinicError: Postgres is unavailable.
    """
    last = dict(wanted.last)
    async with (
        database(settings.auditor_dsn, "clinic-audit") as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await read_in_order(connection)
        ends = await connection.fetch("SELECT chain, partition FROM audit.chains ORDER BY chain, partition")
        with gzip.GzipFile(fileobj=out, mode="wb") if compress else contextlib.nullcontext(out) as lines:
            for chain, partition in ends:
                if wanted.chain in (None, chain) and wanted.partition in (None, partition):
                    await _write_chain(connection, Chain(chain), partition, last, lines)
    out.flush()
    return ",".join(f"{chain}/{partition}={number}" for (chain, partition), number in sorted(last.items()))


async def _write_chain(
    connection: Any, chain: Chain, partition: int, last: dict[ChainKey, int], out: Any
) -> None:
    cursor = await connection.cursor(
        """
        SELECT number, recorded_at, hash, content FROM audit.entries
        WHERE chain = $1 AND partition = $2 AND number > $3 ORDER BY number, occurred_at
        """,
        chain,
        partition,
        last.get((chain, partition), 0),
    )
    while rows := await cursor.fetch(BLOCK):
        out.write("".join(entry_line(chain, partition, row) for row in rows).encode())
        last[chain.value, partition] = rows[-1]["number"]


def opened(out: Path, since: str | None, *, compress: bool) -> IO[bytes]:
    """The file to write: a new one, or the export to continue, after its last complete line.

    Raises:
        CursorError: the export is or would be compressed, so it cannot be continued.
    """
    if since is None or not (out.is_file() and Path(since).is_file() and out.samefile(since)):
        return out.open("wb")
    with out.open("rb") as file:
        if compress or file.read(2) == GZIP_MAGIC:
            raise CursorError("A compressed export cannot be continued in the same file: name another one.")
    os.truncate(out, sum(len(line) for line in _whole_lines(out)))
    return out.open("ab")


def _last_of(path: Path) -> dict[ChainKey, int]:
    last: dict[ChainKey, int] = {}
    for line in _whole_lines(path):
        try:
            entry = json.loads(line)
            key = (str(entry["chain"]), int(entry["partition"]))
            last[key] = max(last.get(key, 0), int(entry["number"]))
        except (ValueError, KeyError, TypeError):
            raise CursorError(f"{path} is not an export of the trail.") from None
    return last


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The complete lines of an export, without a truncated last one.

    Raises:
        CursorError: the file cannot be read, or is not an export.
    """
    try:
        with path.open("rb") as file, contextlib.suppress(EOFError):
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            for line in gzip.GzipFile(fileobj=file) if packed else file:
                if line.endswith(b"\n"):
                    yield line
                elif line[: len(LINE_BEGINS)] != LINE_BEGINS[: len(line)]:
                    raise CursorError(f"{path} is not an export of the trail.")
    except (OSError, zlib.error) as error:
        raise CursorError(f"{path} cannot be read: {error}.") from None
