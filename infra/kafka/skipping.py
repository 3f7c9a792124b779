"""Records that an operator told a consumer to leave out (`clinic skip`), and the numbers they leave open."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

import structlog
from aiokafka import ConsumerRecord

from contracts.envelope import read_uuid
from infra.kafka.aiokafka_fixes import error_of
from infra.kafka.tracing import traceparent_of
from infra.telemetry import request_of

# A topic that lost more than these needs more than a skip.
MISSING_MAX = 10_000
_SKIPS = UUID("0d1c3c1e-6f3b-4a55-8a63-3f6a0a3a7b11")

_log = structlog.get_logger(__name__)


def skip_id(consumer: str, topic_id: UUID, partition: int, offset: int) -> UUID:
    """The id of an operator's order to skip a record: the same however often it is given."""
    return uuid5(_SKIPS, f"{consumer}/{topic_id}/{partition}/{offset}")


class SkippedRecord(NamedTuple):
    """A message that was left out: its record, or the one before which it is missing.

    `event_id` is that of the record, where it can be read, and None of a message that is missing.
    """

    topic: str
    topic_id: UUID
    partition: int
    offset: int
    at: datetime
    event_id: UUID | None


class LeftOut(NamedTuple):
    """The numbers of the messages that are left out, and whether the record is one of them."""

    numbers: range
    whole: bool


def left_out(record: ConsumerRecord, sequence: int | None, last: int) -> LeftOut:
    """Of a record that is to be skipped; `sequence` is its number, None if it has none or cannot be read.

    Where messages before it are missing, they are left out, and the record itself is not.
    """
    if error_of(record) or sequence is None or sequence <= last:
        found = LeftOut(range(0), whole=True)
    elif sequence == last + 1:
        found = LeftOut(range(sequence, sequence + 1), whole=True)
    else:
        end = sequence if sequence - last <= MISSING_MAX else last + 1
        found = LeftOut(range(last + 1, end), whole=False)
    _log.warning(
        "left out, as an operator said",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        messages=len(found.numbers),
        **request_of(traceparent_of(record)),
    )
    return found


def skipped(record: ConsumerRecord, topic_id: UUID, *, whole: bool) -> SkippedRecord:
    """The message that takes the place of one that is left out."""
    id_ = read_uuid(dict(record.headers).get("ce_id")) if whole else None
    at = datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC)
    return SkippedRecord(record.topic, topic_id, record.partition, record.offset, at, id_)
