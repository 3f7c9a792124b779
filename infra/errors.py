"""The four kinds of failure, never mixed.

*Refused* is a value (`contracts.refusals`), so it is not here. *Bugs* are assertions. What is left:
"""


class ClinicError(Exception):
    """The root of everything the product raises itself."""


class TransientError(ClinicError):
    """A dependency is away or slow; the same call may succeed later. Bounded backoff, never a dead letter."""


class LogUnavailableError(TransientError):
    """The broker did not acknowledge a record in time. It may or may not be in the log."""


class PoisonError(ClinicError):
    """A record that can never be decided. It goes to the dead-letter topic with `reason`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class MisconfiguredError(ClinicError):
    """An operator has to act: a wrong topic, a missing key file, a log that is not the one remembered."""
