"""The interface of a channel to patients (mail, text messages) and the ways in which delivery fails."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from infra.errors import ClinicError
from notifier.content import Clinic, Notification

Begin = Callable[[], Awaitable[None]]


class NotDeliveredError(ClinicError):
    """The notification was not delivered, as far as is known. The message is stored and logged, so it names
    nobody."""


class RefusedError(NotDeliveredError):
    """The server rejects this notification permanently."""


class DeferredError(NotDeliveredError):
    """The server rejects this notification for now."""


class ConnectionLostError(NotDeliveredError):
    """The connection was lost during delivery: only then is it unknown whether the notification arrived."""


class ServerUnavailableError(NotDeliveredError):
    """The server is unavailable or rejects our login: it has not seen the notification."""


class ClaimLostError(ClinicError):
    """The notification is no longer this sender's: superseded, or claimed by another since."""


class Channel(Protocol):
    """Delivers notifications, several concurrently.

    `message` is what it delivers, in words. `accept_timeout_s` is how long the server may take to accept a
    notification that it has received.
    """

    name: str
    message: str
    accept_timeout_s: float

    async def deliver(self, notification: Notification, clinic: Clinic, begin: Begin) -> None:
        """Return once the server has accepted the notification.

        `begin` is awaited immediately before the server may accept it: if the process dies after that, the
        notification may have arrived. Exceptions of `begin` propagate, and nothing is sent.

        Raises:
            ValueError: it can never be sent.
            NotDeliveredError: one of its subclasses.
        """
        ...

    async def close(self) -> None:
        """Close the connections; nothing is being delivered any more."""
        ...
