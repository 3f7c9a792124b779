"""What ways to a patient have in common: mail, text messages."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from notifier.content import Clinic, Letter

Begin = Callable[[], Awaitable[None]]


class NotDeliveredError(Exception):
    """The letter did not arrive, as far as is known. The message names nobody: it is kept and logged."""


class RefusedError(NotDeliveredError):
    """The server refuses this letter for good."""


class DeferredError(NotDeliveredError):
    """The server refuses this letter for now."""


class BrokenError(NotDeliveredError):
    """The connection broke over this letter. It alone leaves open whether a begun one arrived."""


class AwayError(NotDeliveredError):
    """The server is away, or does not let us in, whatever the letter: it has not looked at it."""


class OvertakenError(Exception):
    """The letter is no longer the sender's: superseded, or claimed by another meanwhile."""


class Channel(Protocol):
    """A way to deliver letters, several side by side.

    `accept_timeout_s` is how long the server may take to accept a letter that it has.
    """

    name: str
    accept_timeout_s: float

    async def deliver(self, letter: Letter, clinic: Clinic, begin: Begin) -> None:
        """Return once the server has taken the letter.

        `begin` is awaited last before it might: whoever dies after that leaves a letter that may have
        arrived. What it raises is passed on, and nothing is sent then.

        Raises:
            ValueError: it can never be sent.
            NotDeliveredError: one of its kinds.
        """
        ...

    async def close(self) -> None:
        """Give back the connections; nothing is being delivered any more."""
        ...
