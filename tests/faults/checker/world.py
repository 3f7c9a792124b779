"""States that a decision may have seen: what is certain, and what may have been either way."""

from bisect import bisect_left
from collections.abc import Mapping

from tests.book.model import Appointment
from tests.faults.checker.log import Log
from tests.faults.checker.messages import Decision
from tests.faults.checker.order import Order
from tests.faults.checker.records import Finding
from tests.faults.checker.timelines import Appointments, Doctors, Practice, Step, Taken


class World:
    """The log's decisions, their effects and their order.

    A decision has seen everything earlier in its own partition. From the other partitions it has seen what
    certainly came before, and may have seen what did not certainly come after.
    """

    def __init__(self, log: Log, known: Mapping[str, tuple[float, float]]) -> None:
        self.log = log
        self.doctors = Doctors(log.decisions)
        self.appointments = Appointments(log.decisions, self.doctors)
        self.order = Order(log.decisions, self.appointments.edges(), known)
        self.findings = list(self.appointments.findings)
        if self.order.contradicts_itself:
            self.findings.append(Finding("I5", "no order of the partitions fits the appointments' versions"))
        self._made = {
            (step.decision, id_): number
            for id_, steps in self.appointments.steps.items()
            for number, step in reversed(list(enumerate(steps)))
        }

    def surely_taken(self, taken: Taken, decision: Decision) -> bool:
        """Whether the decision certainly saw that time taken."""
        before, until = self.order.before, taken.until
        return before(taken.since, decision) and (
            until is None or until is decision or before(decision, until)
        )

    def perhaps_taken(self, taken: Taken, decision: Decision) -> bool:
        """Whether the decision may have seen that time taken."""
        before, until = self.order.before, taken.until
        if taken.since is decision or before(decision, taken.since):
            return False
        return until is None or not before(until, decision)

    def met(self, id_: str, decision: Decision) -> list[Step | None]:
        """The states of the appointment that the decision may have seen; None: not booked yet."""
        steps: list[Step | None] = [None, *self.appointments.steps.get(id_, [])]
        made = self._made.get((decision, id_))
        if made is not None:
            return [steps[made]]
        before = self.order.before
        return [
            step
            for step, after in zip(steps, [*steps[1:], None], strict=True)
            if (step is None or not before(decision, step.decision))
            and (after is None or not before(after.decision, decision))
        ]

    def practice(self, doctor: str, decision: Decision) -> Practice | None:
        """A doctor of the decision's own partition."""
        return self.doctors.at(doctor, decision)

    def practices(self, doctor: str, decision: Decision) -> list[Practice]:
        """The states of any doctor that the decision may have seen."""
        if self.doctors.partition(doctor) == decision.position.partition:
            found = self.practice(doctor, decision)
            return [found] if found else []
        changes, before = self.doctors.changes.get(doctor, []), self.order.before
        # Changes that certainly came before are at the start of the list, those that certainly came after at
        # its end.
        first = bisect_left(changes, True, key=lambda change: not before(change.decision, decision))
        last = bisect_left(changes, True, key=lambda change: before(decision, change.decision))
        return [change.state for change in changes[max(first - 1, 0) : last]]

    @staticmethod
    def states(steps: list[Step | None]) -> list[Appointment | None]:
        """The appointments' states without their decisions."""
        return [step.state if step else None for step in steps]
