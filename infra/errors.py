"""The four kinds of failure, never mixed.

*Refused* is a value (`contracts.refusals`) and *bugs* are assertions, so neither is here. *Poison* is
`contracts.dead_letters.UndecodableError`. What is left:
"""


class ClinicError(Exception):
    """The root of everything the product raises itself."""


class TransientError(ClinicError):
    """A dependency is away or slow; the same call may succeed later. Bounded backoff, never a dead letter."""


class LogUnavailableError(TransientError):
    """The broker did not acknowledge a record in time. It may or may not be in the log."""


class MisconfiguredError(ClinicError):
    """An operator has to act: a wrong topic, a missing key file, a log that is not the one remembered."""
