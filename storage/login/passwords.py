"""Passwords of staff: which may be chosen (NIST SP 800-63B-4, section 3.1.1), and how they are kept."""

import asyncio
import unicodedata
from collections.abc import Sequence
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from infra.errors import ClinicError

LENGTH_MIN = 15
LENGTH_MAX = 128
"""In characters. Longer ones would cost the check more than they are worth."""
SCORE_MIN = 3
"""zxcvbn's: at least some 10^8 guesses for somebody who tries common passwords, words and patterns first."""
CHECKS_AT_ONCE = 2
CHECKS_WAITING_MAX = 20
# OWASP's parameters for Argon2id: 19 MiB each, so that a flood of logins takes neither memory nor all cores.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class TooManyChecksError(ClinicError):
    """More people log in at this moment than passwords can be checked."""


def weakness(password: str, hints: Sequence[str]) -> str | None:
    """The reason why a password may not be chosen, a sentence; None if it may.

    `hints` are texts that somebody who knows the person would try: their address, the clinic's name.
    """
    from zxcvbn import zxcvbn  # only where one is chosen: its lists take memory

    password = _normalised(password)
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        return f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters."
    parts = [part for hint in hints for part in (hint, *hint.replace("@", ".").split("."))]
    if zxcvbn(password, user_inputs=parts, max_length=LENGTH_MAX)["score"] < SCORE_MIN:
        return "This password is a common one, or easy to guess: several unrelated words are better."
    return None


def hashed(password: str) -> str:
    """The password as it is kept."""
    return _HASHER.hash(_normalised(password))


class PasswordChecks:
    """Checks passwords, a few at a time, outside of the event loop."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0

    async def fits(self, kept: str | None, password: str) -> bool:
        """True if this is the password. None is an unknown account's, and takes the same time.

        Raises:
            TooManyChecksError: too many wait already.
        """
        if self._waiting >= CHECKS_WAITING_MAX:
            raise TooManyChecksError
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(_fits, kept, password)
        finally:
            self._waiting -= 1


def _fits(kept: str | None, password: str) -> bool:
    nobodys = _nobodys()
    try:
        return _HASHER.verify(kept or nobodys, _normalised(password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """What is compared for an account that does not exist, so that the answer takes as long."""
    return hashed("the password of nobody")


def _normalised(password: str) -> str:
    # The same characters on every keyboard and system (SP 800-63B-4, section 3.1.1.2).
    return unicodedata.normalize("NFKC", password)
