"""The spans of the commands of a transaction, each in the trace of its own request."""

from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Self

from booking_worker.decide.command_record import CommandRecord
from booking_worker.decide.decision_batch import DecisionBatch
from infra import clock, telemetry
from infra.kafka.tracing import TracedRecord, record_span
from infra.telemetry import Span, SpanKind


class CommandSpans:
    """An attempt to decide commands: a span for each, and inside of it one of the transaction.

    Times are noted while inside, and the spans are made at the end: they hold up no decision. A record
    without a trace has none.
    """

    def __init__(self, topic: str, items: Iterable[CommandRecord]) -> None:
        self._topic = topic
        self._items = items
        self._begun: datetime | None = None
        self._committed: datetime | None = None
        self._batch: DecisionBatch | None = None

    def begun(self) -> None:
        """The transaction begins."""
        self._begun = clock.now()

    def committed(self, batch: DecisionBatch) -> None:
        """The transaction has ended, with these decisions."""
        self._committed = clock.now()
        self._batch = batch

    def __enter__(self) -> Self:
        self._received = clock.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if telemetry.is_on():
            self._make(kind.__qualname__ if kind else None)

    def _make(self, failure: str | None) -> None:
        ended = clock.now()
        batch = self._batch
        decisions = {(made.partition, made.offset): made for made in batch.decisions} if batch else {}
        dead = dict(batch.dead_letters) if batch else {}
        for item in self._items:
            if not telemetry.continues(item.traceparent):
                continue
            attributes = {
                "clinic.command.id": str(item.command_id),
                "clinic.command.type": type(item.command).__name__ if item.command else "unknown",
            }
            if decision := decisions.get((item.partition, item.offset)):
                attributes["clinic.decision.state"] = str(decision.state)
                if decision.refusal:
                    attributes["clinic.refusal.reason"] = str(decision.refusal.reason)
            record = TracedRecord(item.traceparent, item.partition, item.offset, attributes)
            span = record_span(SpanKind.CONSUMER, self._topic, record, self._received)
            if self._begun is not None:
                transaction = Span(
                    "transaction",
                    SpanKind.INTERNAL,
                    span.traceparent,
                    {"db.system.name": "postgresql"},
                    at=self._begun,
                )
                if failure and self._committed is None:
                    transaction.fail(failure)
                transaction.end(self._committed or ended)
            if failure or item in dead:
                span.fail(failure or str(dead[item].reason))
            span.end(ended)
