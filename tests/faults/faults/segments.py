"""The broker's own files: a partition's segments, truncated or corrupted while the broker is stopped."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from contracts.topics import Topic
from infra.kafka.connection import topic_name
from infra.settings import Settings
from ops.embedded import Child

# A record batch (version 2) starts with its base offset and its length; the records follow its head.
_LENGTH, _LENGTH_BYTES, _HEAD_BYTES = 8, 12, 61


@contextlib.asynccontextmanager
async def broker_stopped(kafka: Child, *, looks_through: bool = True) -> AsyncIterator[None]:
    """Stops the broker inside the block. It recovers its files at the start, as after a crash, and would
    truncate incomplete ones.
    """
    await kafka.stop()
    try:
        yield
        if looks_through:
            (_data(kafka) / ".kafka_cleanshutdown").unlink(missing_ok=True)
    finally:
        await kafka.start()


def segments(kafka: Child, settings: Settings, topic: Topic, partition: int) -> Path:
    """The folder with a partition's files."""
    return _data(kafka) / f"{topic_name(settings, topic)}-{partition}"


def batches(folder: Path) -> tuple[Path, list[tuple[int, int]]]:
    """A partition's last segment, and where its record batches begin and end."""
    segment = sorted(folder.glob("*.log"))[-1]
    content, found, at = segment.read_bytes(), [], 0
    while at + _LENGTH_BYTES <= len(content):
        length = int.from_bytes(content[at + _LENGTH : at + _LENGTH_BYTES], "big")
        if not length:
            break  # preallocated and not yet written
        found.append((at, at + _LENGTH_BYTES + length))
        at = found[-1][1]
    return segment, found


def cut(folder: Path, count: int) -> None:
    """Remove a partition's last batches. The broker has to be stopped, and to recover its files later."""
    segment, found = batches(folder)
    with segment.open("r+b") as file:
        file.truncate(found[-count][0])
    for other in (*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")):
        other.unlink()


def flip(folder: Path, last: int) -> None:
    """Flip a bit in the records of one of the last batches, counted from the end."""
    segment, found = batches(folder)
    begin, end = found[-last]
    with segment.open("r+b") as file:
        position = (begin + _HEAD_BYTES + end) // 2
        file.seek(position)
        [byte] = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 4]))


def _data(kafka: Child) -> Path:
    return Path(kafka.argv[-1]).parent / "data"
