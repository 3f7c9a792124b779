"""`clinic keys rotate-storage`: replaces the keys that wrap patients' data keys, and destroys the old ones.

A forgotten patient's wrapped key stays in old versions of rows, in the WAL and in backups. It is unreadable
from the day on which its epoch's key is destroyed: at most `storage_key_days` + 3 after the forgetting, if
this runs every day. Each step can be repeated: a run that was killed is completed by the next one.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from infra import clock
from infra.crypto.epochs import FORMER_EPOCH, Epochs, epoch_file
from infra.crypto.uses import FORMER_USES, read_secrets
from infra.errors import MisconfiguredError
from infra.keys import Keys, epoch_of
from infra.postgres import Connection
from infra.settings import Settings
from ops.connections import database
from ops.keys import new_epoch, sync_folder, write_private
from storage import mail_address
from storage.profiles import open_profile, seal_profile

BATCH = 200
# An old key stays for so long after its successor came, for a service that has not got that one yet.
GRACE = timedelta(days=1)
UNREADABLE_AFTER_DAYS_MAX = 30
_NOBODY = UUID(int=0)
_REWRAP = """
UPDATE people.patients
SET data_key = $2, key_epoch = $3, profile = $4, address_bucket = $5,
    address_index = CASE
        -- The last release may have registered an address twice at the same moment, in two epochs.
        WHEN people.has_whole_indexes() AND NOT EXISTS (SELECT FROM people.patients WHERE address_index = $6)
        THEN $6::bytea
    END
WHERE id = $1
"""


@dataclass
class Rotation:
    """What a run has done."""

    started: int | None = None
    rewrapped: int = 0
    destroyed: list[int] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For the operator."""
        return [
            f"epoch {self.started} begun" if self.started else "no new epoch was due",
            f"{self.rewrapped} data keys wrapped again",
            *(f"epoch {number} destroyed" for number in self.destroyed),
        ]


async def rotate_storage(settings: Settings, *, at: datetime | None = None, begin: bool = False) -> Rotation:
    """Begin an epoch if one is due, wrap every data key in the newest, destroy the epochs before it.

    `at` is the present; `begin`: begin one in any case.

    Raises:
        MisconfiguredError: a key is missing, or another process does this.
        TransientError: Postgres does not answer.
    """
    at, done = at or clock.now(), Rotation()
    with _alone(settings.storage_key_dir):
        newest = Epochs(settings.storage_key_dir).newest()
        if newest is None or begin or at - newest.created_at >= timedelta(days=settings.storage_key_days):
            done.started = await _begin(settings, at)
        keys = Keys.load(settings)
        async with database(settings.postgres_dsn.get_secret_value(), "clinic-keys") as pool:
            await register_epochs(pool, settings.storage_key_dir)
            newest = Epochs(settings.storage_key_dir).newest()
            assert newest is not None, "one was begun"
            done.rewrapped = await _rewrap_all(pool, keys, newest.number)
            if at - newest.created_at >= GRACE:
                done.destroyed = await _destroy_before(pool, settings, newest.number)
    return done


async def register_epochs(executor: asyncpg.Pool | Connection, folder: Path) -> None:
    """Let data keys be wrapped in the epochs whose keys exist. Idempotent."""
    await executor.execute(
        "INSERT INTO people.key_epochs (epoch, registered_at) SELECT unnest($1::int[]), $2"
        " ON CONFLICT (epoch) DO NOTHING",
        [epoch.number for epoch in Epochs(folder).all()],
        clock.now(),
    )


def overdue(settings: Settings, at: datetime) -> str | None:
    """Why data that was forgotten may be readable for too long; None if all is well."""
    epochs = Epochs(settings.storage_key_dir).all()
    oldest = min(epochs, key=lambda epoch: epoch.created_at, default=None)
    if oldest is None:
        return "there is none: run `clinic keys rotate-storage`"
    days = (at - oldest.created_at).days
    if days >= UNREADABLE_AFTER_DAYS_MAX:
        return f"epoch {oldest.number} is {days} days old: run `clinic keys rotate-storage` every day"
    return None


async def _begin(settings: Settings, at: datetime) -> int:
    async with database(settings.postgres_dsn.get_secret_value(), "clinic-keys") as pool:
        known: int = await pool.fetchval("SELECT coalesce(max(epoch), 0) FROM people.key_epochs")
    number = max([known, *(epoch.number for epoch in Epochs(settings.storage_key_dir).all())]) + 1
    write_private(epoch_file(settings.storage_key_dir, number), new_epoch(number, at).to_json())
    return number


async def _rewrap_all(pool: asyncpg.Pool, keys: Keys, newest: int) -> int:
    count, after = 0, _NOBODY
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                """
                SELECT id, data_key, profile FROM people.patients
                WHERE id > $1 AND data_key IS NOT NULL AND key_epoch IS DISTINCT FROM $2
                ORDER BY id LIMIT $3 FOR UPDATE
                """,
                after,
                newest,
                BATCH,
            )
            if not rows:
                return count
            for row in rows:
                await _rewrap(connection, keys, row)
        count, after = count + len(rows), rows[-1]["id"]


async def _rewrap(connection: Connection, keys: Keys, row: asyncpg.Record) -> None:
    """Wrap the data key again, and seal the profile as today, with today's indexes."""
    patient_id: UUID = row["id"]
    profile = open_profile(keys.unwrap(patient_id, row["data_key"]), patient_id, row["profile"])
    wrapped = keys.rewrap(patient_id, row["data_key"])
    epoch = epoch_of(wrapped)
    sealed = seal_profile(keys.unwrap(patient_id, wrapped), patient_id, profile)
    address = mail_address.comparable(profile.email)
    await connection.execute(
        _REWRAP,
        patient_id,
        wrapped,
        epoch,
        sealed,
        keys.indexes.address_bucket(address, epoch),
        keys.indexes.address_index(address, epoch),
    )


async def _destroy_before(pool: asyncpg.Pool, settings: Settings, newest: int) -> list[int]:
    # An ingress of the release before leaves the epoch of a patient whom it forgets.
    await pool.execute(
        "UPDATE people.patients SET key_epoch = NULL WHERE data_key IS NULL AND key_epoch >= 0"
    )
    # Fails if a data key needs one of them (and nobody can use them afterwards), before any key is gone.
    await pool.execute("DELETE FROM people.key_epochs WHERE epoch < $1", newest)
    folder, destroyed = settings.storage_key_dir, []
    for epoch in Epochs(folder).all():
        if epoch.number < newest:
            _shred(epoch_file(folder, epoch.number))
            destroyed.append(epoch.number)
    if _forget_former_uses(settings.master_key_file):
        destroyed.append(FORMER_EPOCH)
    return sorted(destroyed)


def _forget_former_uses(master_key_file: Path) -> bool:
    """Replace the master key by the keys of its other uses, so that nothing it wrapped can be read."""
    uses = read_secrets(master_key_file)
    kept = {use: key.hex() for use, key in uses.items() if use not in FORMER_USES}
    if kept.keys() == uses.keys():
        return False
    former = master_key_file.with_name(master_key_file.name + ".former")
    former.unlink(missing_ok=True)
    os.link(master_key_file, former)
    write_private(master_key_file, json.dumps(kept, indent=2).encode() + b"\n")
    _shred(former)
    return True


def _shred(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise MisconfiguredError(f"Another process rotates the storage keys in {folder}.") from None
    finally:
        os.close(lock)
