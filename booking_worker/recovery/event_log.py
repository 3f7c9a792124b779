"""The events' topic, read outside of any group: in order, each event once, and nothing missing."""

import contextlib
from collections.abc import Iterable

import structlog
from aiokafka import ConsumerRecord

from booking_worker.recovery.recorded_event import Recorded, recorded
from contracts.dead_letters import UndecodableError
from contracts.envelope import sequence_of
from infra.errors import MisconfiguredError
from infra.kafka.tracing import traceparent_of
from infra.telemetry import request_of

_log = structlog.get_logger(__name__)


class EventsInOrder:
    """One partition's events: repeats and garbage passed over, nothing missing."""

    def __init__(self, name: str, last: int) -> None:
        """`name` says whose they are; `last` is the sequence of the event before."""
        self.last = last
        self._name = name

    def take_all(self, records: Iterable[ConsumerRecord]) -> list[Recorded]:
        """The next events among the records. Raises as `take`."""
        return [event for record in records if (event := self.take(record)) is not None]

    def take(self, record: ConsumerRecord) -> Recorded | None:
        """The next event; None for a record that is not the next one because it was there before.

        Raises:
            MisconfiguredError: an event is missing, or cannot be read by this version.
        """
        sequence = sequence_of(record)
        if sequence is not None and sequence <= self.last:
            return None  # its publisher crashed before it had counted it, and sent it again
        try:
            found = recorded(record)
        except UndecodableError as error:
            if sequence == self.last + 1:
                raise MisconfiguredError(
                    f"{self._name}: event {sequence} at offset {record.offset} cannot be read: {error}"
                ) from None
            where = {"partition": record.partition, "offset": record.offset}
            _log.error("not an event, passed over", **where, **request_of(traceparent_of(record)))
            return None
        if found.event.sequence != self.last + 1:
            raise MisconfiguredError(
                f"{self._name}: event {self.last + 1} is missing: {found.event.sequence} follows {self.last} "
                f"at offset {record.offset}"
            )
        if found.event.context.source.partition != record.partition:
            raise MisconfiguredError(f"{self._name}: event {sequence} is of another partition's command")
        self.last = found.event.sequence
        return found


def last_event(records: list[ConsumerRecord]) -> Recorded | None:
    """The event with the highest sequence; a record that is no event tells nothing."""
    for record in sorted(records, key=lambda record: sequence_of(record) or 0, reverse=True):
        with contextlib.suppress(UndecodableError):
            return recorded(record)
    return None
