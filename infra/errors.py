"""The tree of our own errors. A service's errors extend these classes in its own package.

Four kinds of failure are never mixed. *Refused* is a value (`contracts.refusals`). *Transient* is
`TransientError`. *Poison* is a message that can never be processed: `UndecodableError`, which is outside of
this tree because `contracts` imports nothing of ours. A *bug* is an assertion or any other exception.
"""

from datetime import datetime


class ClinicError(Exception):
    """The root. The `clinic` command prints its message and exits with status 1."""


class TransientError(ClinicError):
    """A dependency is unavailable or slow: retry with bounded backoff, never dead-letter."""


class LogUnavailableError(TransientError):
    """The broker did not acknowledge a record in time. It may or may not be in the log."""


class NotSentError(LogUnavailableError):
    """The record was never handed over to be sent: it is not in the log, and will not be."""


class OlderDatabaseError(TransientError, ConnectionError):
    """The database may lack what was decided: an outage until it has caught up with the events."""


class MisconfiguredError(ClinicError):
    """An operator has to act: a topic is wrong, a key file is missing, the log is not the expected one."""


class StopError(ClinicError):
    """A partition cannot continue until an operator has intervened."""


class GapError(StopError):
    """An event is missing before this one."""


class MisplacedError(ClinicError):
    """The fetched records are not the next ones: reading has to continue at `next_offset`."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(next_offset)
        self.next_offset = next_offset


class PausedError(ClinicError):
    """An operator paused the partition: its consumer stands still until it is resumed."""

    def __init__(self, since: datetime) -> None:
        super().__init__(f"paused by an operator since {since:%Y-%m-%d %H:%M:%S} UTC")


class StandingStillError(ClinicError):
    """A task of the Kafka client has ended, or a partition makes no progress for no known reason."""


class JobEndedError(ClinicError):
    """A background job returned although it should run as long as its service."""
