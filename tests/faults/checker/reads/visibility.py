"""States that a read may show: none that certainly came later, none that certainly had been replaced."""

from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.book.model import Appointment
from tests.faults.checker.messages import Decision, instant
from tests.faults.checker.timelines import Practice, Taken
from tests.faults.checker.world import World
from tests.faults.workload.history import Call, History


class Reading:
    """The possible states of the world for each read.

    Once a client saw a decision, every read that begins later shows it. A read that begins when everything is
    settled shows everything, seen or not.
    """

    def __init__(self, world: World, history: History) -> None:
        self.world = world
        self._settled = history.settled
        self.of_patient: dict[str, set[str]] = defaultdict(set)
        self.with_doctor: dict[str, set[str]] = defaultdict(set)
        self._starts: dict[str, tuple[datetime, datetime]] = {}
        for id_, steps in world.appointments.steps.items():
            if starts := [step.state.visit[0] for step in steps]:
                self._starts[id_] = min(starts), max(starts)
            for step in steps:
                self.of_patient[step.state.patient].add(id_)
                self.with_doctor[step.state.doctor].add(id_)

    def surely_before(self, decision: Decision, call: Call) -> bool:
        """Whether the read must show it."""
        return decision.latest < call.started or call.started > self._settled

    def surely_after(self, decision: Decision, call: Call) -> bool:
        """Whether the read must not show it."""
        return call.ended is not None and decision.earliest > call.ended

    def may_start_within(self, id_: str, after: datetime | None, until: datetime | None) -> bool:
        """Whether it may ever have started from `after` to `until`: tells quickly which ones to look at."""
        if id_ not in self._starts:
            return False
        earliest, latest = self._starts[id_]
        return (after is None or latest >= after) and (until is None or earliest <= until)

    def appointment(self, id_: str, call: Call) -> list[Appointment | None]:
        """The states that the read may show; None: not booked yet."""
        steps = [None, *self.world.appointments.steps.get(id_, [])]
        return [
            step.state if step else None
            for step, after in pairwise([*steps, None])
            if (step is None or not self.surely_after(step.decision, call))
            and (after is None or not self.surely_before(after.decision, call))
        ]

    def practices(self, doctor: str, call: Call) -> list[Practice | None]:
        """The same for a doctor."""
        changes = [None, *self.world.doctors.changes.get(doctor, [])]
        return [
            change.state if change else None
            for change, after in pairwise([*changes, None])
            if (change is None or not self.surely_after(change.decision, call))
            and (after is None or not self.surely_before(after.decision, call))
        ]

    def surely_taken(self, taken: Taken, call: Call) -> bool:
        """Whether the time was certainly taken during the read."""
        until = taken.until
        return self.surely_before(taken.since, call) and (until is None or self.surely_after(until, call))

    def perhaps_taken(self, taken: Taken, call: Call) -> bool:
        """Whether the time may have been taken during the read."""
        if self.surely_after(taken.since, call):
            return False
        return taken.until is None or not self.surely_before(taken.until, call)


def shows(item: dict[str, Any], id_: str, state: Appointment) -> bool:
    """Whether the resource is the appointment in that state."""
    return (
        item.get("id") == id_
        and item.get("doctor_id") == state.doctor
        and item.get("patient_id") == state.patient
        and item.get("visit_type") == state.visit_type
        and (instant(item["starts_at"]), instant(item["ends_at"])) == state.visit
        and item.get("status") == state.status
        and item.get("version") == state.version
        and instant(item["booked_at"]) == state.booked_at
        and item.get("cancelled_by") == state.cancelled_by
        and item.get("cancel_reason") == state.cancel_reason
    )
