"""An operator's orders to the worker: to pause a partition, to set aside a command without deciding it.

They stand in the row of the partition's position, which every transaction locks. So an order comes either
before a transaction or after its commit: nothing is decided in a partition that counts as paused, and no
command that counts as skipped.
"""

from collections.abc import Mapping

from booking_worker.decide.command_record import CommandRecord
from booking_worker.decide.shared_rounds import Parts
from contracts.dead_letters import DeadLetterReason, UndecodableError
from infra.errors import ClinicError, PausedError
from storage.positions import Position


class SkipError(ClinicError):
    """Commands of the batch are to be skipped: decide again, with `skipped` as their outcome."""

    def __init__(self, items: list[CommandRecord]) -> None:
        super().__init__(f"{len(items)} to be skipped")
        self.items = items


def heed(todo: Parts, positions: dict[int, Position], forced: Mapping[CommandRecord, object]) -> None:
    """Check a batch against the orders in the positions, which are locked.

    Raises:
        PausedError: a partition is paused.
        SkipError: commands are to be skipped that are not yet in `forced`.
    """
    for owned, items in todo.items():
        position = positions[owned.number]
        if position.paused_at is not None:
            raise PausedError(position.paused_at)
        to_skip = [item for item in items if item.offset in position.skips]
        if left := [item for item in to_skip if not _is_skipped(forced.get(item))]:
            raise SkipError(left)


def skipped(item: CommandRecord) -> UndecodableError:
    """The outcome of a skipped command: it is dead-lettered, and failed if its id can be read."""
    return UndecodableError(DeadLetterReason.SKIPPED, "skipped by an operator", item.command_id)


def _is_skipped(verdict: object) -> bool:
    return isinstance(verdict, UndecodableError) and verdict.reason is DeadLetterReason.SKIPPED
