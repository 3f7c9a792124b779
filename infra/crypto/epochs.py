"""Storage keys: they wrap the patients' data keys, and are replaced by the next epoch's every few weeks.

Each is a file of a folder outside of Postgres and its backups. Deleting the file of an epoch makes whatever
was wrapped in that time unreadable: in old versions of rows, in the WAL and in every backup.
"""

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from infra.crypto.sealing import KEY_BYTES, KEY_ID_BYTES, SealingKey, expanded
from infra.errors import MisconfiguredError

FORMER_EPOCH = 0
"""Of keys that earlier releases wrapped by the master key."""
SUFFIX = ".key"


@dataclass(frozen=True)
class Epoch:
    """A storage key. Numbers begin with 1."""

    number: int
    created_at: datetime
    secret: bytes = field(repr=False)

    @cached_property
    def wrapping(self) -> SealingKey:
        """Wraps data keys. Its id in a sealed value is the number, big-endian."""
        return SealingKey(expanded(self.secret, "data keys"), self.number.to_bytes(KEY_ID_BYTES, "big"))

    @cached_property
    def addresses(self) -> bytes:
        """The key of the indexes by which mail addresses are found."""
        return expanded(self.secret, "addresses")

    def to_json(self) -> bytes:
        """The content of its file."""
        content = {"created_at": self.created_at.isoformat(), "key": self.secret.hex()}
        return json.dumps(content).encode() + b"\n"


class Epochs:
    """The epochs whose keys exist. A change of the folder is noticed at the next use."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read_at = -1
        self._epochs: dict[int, Epoch] = {}

    def all(self) -> list[Epoch]:
        """Those that exist, the newest first.

        Raises:
            MisconfiguredError: a file is not readable or holds something else.
        """
        self._refresh()
        return list(self._epochs.values())

    def newest(self) -> Epoch | None:
        """The one that new data keys are wrapped in; None if there is none."""
        self._refresh()
        return next(iter(self._epochs.values()), None)

    def get(self, number: int) -> Epoch | None:
        """One of them; None if its key does not exist (any more)."""
        self._refresh()
        return self._epochs.get(number)

    def _refresh(self) -> None:
        if self._folder is None:
            return
        try:
            changed_at = os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            changed_at = -1
        if changed_at != self._read_at:
            self._epochs = _read(self._folder)
            self._read_at = changed_at


def epoch_file(folder: Path, number: int) -> Path:
    """The file of an epoch."""
    return folder / f"{number:06}{SUFFIX}"


def missing_key(epoch: int) -> MisconfiguredError:
    """The error that something needs the key of this epoch."""
    return MisconfiguredError(
        f"The storage key of epoch {epoch} is not here: it was destroyed, or not copied."
    )


def _read(folder: Path) -> dict[int, Epoch]:
    epochs = [_epoch(path) for path in folder.glob(f"*{SUFFIX}")]
    found = [epoch for epoch in epochs if epoch is not None]
    return {epoch.number: epoch for epoch in sorted(found, key=lambda epoch: -epoch.number)}


def _epoch(path: Path) -> Epoch | None:
    try:
        content = json.loads(path.read_text())
        number, secret = int(path.name.removesuffix(SUFFIX)), bytes.fromhex(content["key"])
        created_at = datetime.fromisoformat(content["created_at"])
    except FileNotFoundError:
        return None  # destroyed this moment
    except (OSError, ValueError, KeyError, TypeError):
        raise MisconfiguredError(f"{path} does not hold a storage key.") from None
    if number <= FORMER_EPOCH or len(secret) != KEY_BYTES:
        raise MisconfiguredError(f"{path} does not hold a storage key.")
    return Epoch(number, created_at, secret)
