"""Audit entries in place of messages that an operator told the auditor to leave out (`clinic skip`)."""

from typing import Any
from uuid import UUID

from auditor.entries.booking import Entry, about, event_place, exact
from contracts.audit import canonical
from contracts.security import NOBODY
from infra.kafka.event_consumer import ReceivedMessage
from infra.kafka.skipping import SkippedRecord, skip_id

ACTION = "RecordSkipped"
NO_EVENT = UUID(int=0)


def skipped_entry(gone: SkippedRecord, received: ReceivedMessage[Any], consumer: str) -> Entry:
    """The entry of a gap: it names the record and the operator's order (`operator.orders`).

    Its time is the record's, so that a chain that is made again has the same hashes.
    """
    order = skip_id(consumer, gone.topic_id, gone.partition, gone.offset)
    content = {
        "about": about(None, None, None),
        "action": ACTION,
        "actor": {"id": None, "kind": NOBODY},
        "at": exact(gone.at),
        "command_id": None,
        "command_type": None,
        "count": None,
        "effect": {"after": {"order_id": str(order)}, "before": None},
        "event": event_place(gone.event_id or NO_EVENT, received.record, received.sequence),
        "reason": None,
        "request_id": None,
        "source": None,
    }
    return Entry(gone.at, ACTION, NOBODY, None, None, None, None, None, canonical(content))
