"""`given(facts…).when(command).then(facts or a refusal)`: the form of these specifications."""

from datetime import datetime
from typing import Self

from contracts.commands import Command
from contracts.events import Fact
from contracts.refusals import Reason, Refusal
from scheduling.decide import decide
from scheduling.evolve import evolve
from scheduling.state import Book
from tests.unit.scheduling.clinic import NOW


class Given:
    """A book in which some facts have happened."""

    def __init__(self, facts: tuple[Fact, ...]) -> None:
        self.book = Book()
        self.and_(*facts)

    def and_(self, *facts: Fact, at: datetime = NOW) -> Self:
        """Apply more facts, perhaps decided at another time."""
        for fact in facts:
            evolve(self.book, fact, at)
        return self

    def when(self, command: Command, now: datetime = NOW) -> "Decided":
        """Decide. `now` is the command's broker time."""
        return Decided(self, decide(self.book, command, now), now)


class Decided:
    """An outcome to check."""

    def __init__(self, before: Given, outcome: list[Fact] | Refusal, now: datetime) -> None:
        self._before = before
        self._now = now
        self.outcome = outcome

    def then(self, *expected: Fact | Reason | Refusal) -> None:
        """Exactly these facts in this order, or this refusal."""
        match expected:
            case (Reason() as reason,):
                assert self.outcome == Refusal(reason)
            case (Refusal(),):
                assert self.outcome == expected[0]
            case _:
                assert self.outcome == list(expected)

    def facts(self) -> list[Fact]:
        """The facts; the command must not have been refused."""
        assert not isinstance(self.outcome, Refusal), self.outcome
        return self.outcome

    def then_given(self) -> Given:
        """The book afterwards, for the next command."""
        return self._before.and_(*self.facts(), at=self._now)


def given(*facts: Fact) -> Given:
    """A book in which these facts have happened."""
    return Given(facts)
