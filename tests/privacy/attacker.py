"""An attacker with copies of the database's files and all keys that exist, who knows what to look for."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.crypto.epochs import Epochs
from infra.crypto.sealing import DataKey
from infra.crypto.uses import FORMER_WRAPPING, read_secrets
from infra.keys import DATA_KEY, FORMER_WRAPPED_BYTES
from infra.settings import Settings

WRAPPED_BYTES = 65
ROW_BYTES = 200
TABLES = ("people.patients", "booking.appointments", "booking.events", "booking.decisions")


class Loot:
    """Copies of files in a folder, by where they come from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, source: str, paths: Iterable[Path]) -> None:
        """Copy files."""
        (self._folder / source).mkdir()
        for number, path in enumerate(paths):
            shutil.copyfile(path, self._folder / source / str(number))

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """The source and the bytes of each file."""
        for path in sorted(self._folder.glob("*/*")):
            yield path.parent.name, path.read_bytes()

    def holding(self, secret: bytes) -> set[str]:
        """The sources whose files hold these bytes."""
        return {source for source, content in self.contents() if secret in content}


async def heap_files(postgres: asyncpg.Pool, pgdata: Path) -> list[Path]:
    """The files of the tables that hold what patients have said, with all changes."""
    await postgres.execute("CHECKPOINT")
    query = "SELECT pg_relation_filepath($1::text::regclass)"
    return [pgdata / await postgres.fetchval(query, table) for table in TABLES]


async def wal_file(postgres: asyncpg.Pool) -> str:
    """The name of the file of the write-ahead log that is written at present."""
    name: str = await postgres.fetchval("SELECT pg_walfile_name(pg_current_wal_lsn())")
    return name


def wal_files(pgdata: Path, first: str, last: str) -> list[Path]:
    """The files of the write-ahead log between the two, inclusive."""
    return [path for path in sorted((pgdata / "pg_wal").iterdir()) if first <= path.name <= last]


def data_keys(loot: Loot, settings: Settings, patient_id: UUID) -> dict[str, DataKey]:
    """The patient's data key by source, wherever a key that exists unwraps it."""
    found: dict[str, DataKey] = {}
    for source, content in loot.contents():
        for clear in (*_unwrapped(content, settings, patient_id), *_formerly(content, settings, patient_id)):
            found[source] = DataKey(clear)
    return found


def _unwrapped(content: bytes, settings: Settings, patient_id: UUID) -> Iterator[bytes]:
    for epoch in Epochs(settings.storage_key_dir).all():
        mark = epoch.wrapping.seal(b"", DATA_KEY, patient_id)[:5]
        for start in _positions(content, mark):
            try:
                yield epoch.wrapping.open(content[start : start + WRAPPED_BYTES], DATA_KEY, patient_id)
            except InvalidTag:
                continue


def _formerly(content: bytes, settings: Settings, patient_id: UUID) -> Iterator[bytes]:
    """What the master key wrapped begins with a nonce, somewhere behind the patient's id in the row."""
    secret = read_secrets(settings.master_key_file).get(FORMER_WRAPPING)
    if secret is None:
        return
    for position in _positions(content, patient_id.bytes):
        for start in range(position, position + ROW_BYTES):
            wrapped = content[start : start + FORMER_WRAPPED_BYTES]
            try:
                yield AESGCM(secret).decrypt(wrapped[:12], wrapped[12:], patient_id.bytes)
            except (InvalidTag, ValueError):
                continue


def _positions(content: bytes, mark: bytes) -> Iterator[int]:
    position = content.find(mark)
    while position >= 0:
        yield position
        position = content.find(mark, position + 1)
