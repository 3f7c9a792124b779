"""A claimed notification, and the span of an attempt at delivering it."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from infra import telemetry
from infra.telemetry import Span, SpanKind
from notifier.channels.base import Channel
from notifier.content import Notification


@dataclass(eq=False)
class Held:
    """A notification that this process has claimed, built with this `profile`.

    `traceparent` is its event's. `until_s` is when the claim ends, `due_s` when the notification fell due
    (both by the monotonic clock); `done` is called once it is settled. If `begun`, it may have arrived,
    unless it is known to be `unsent`.
    """

    notification: Notification
    claim: int
    tries: int
    sends: int
    profile: bytes | None
    traceparent: str | None
    due_s: float
    until_s: float
    done: Callable[[], None]
    begun: bool = False
    unsent: bool = False
    _span: Span | None = None

    @property
    def id(self) -> UUID:
        """The id of the notification."""
        return self.notification.id

    def attempt(self, channel: Channel) -> None:
        """Begin the span of an attempt; none without its event's trace, as it would be alone in its own."""
        if not telemetry.continues(self.traceparent):
            return
        attributes = {
            "clinic.notification.id": str(self.id),
            "clinic.notification.kind": str(self.notification.kind),
            "clinic.notification.channel": channel.name,
        }
        self._span = Span(f"send {channel.message}", SpanKind.CLIENT, self.traceparent, attributes)

    def failed(self, error: Exception) -> None:
        """The attempt has failed."""
        if self._span is not None:
            self._span.fail(type(error).__qualname__)

    def ended(self, outcome: str) -> None:
        """The attempt has ended, if there was one. `outcome` is the state that the notification gets."""
        if self._span is not None:
            self._span.note({"clinic.notification.outcome": outcome})
            self._span.end()
