"""Doctors, patients and appointments of a load test, and the request for each action of the mix.

A patient always sees the same doctor, and a doctor's slots are taken one after the other: so no booking can
be refused, and a refusal in a report is a finding.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from infra.errors import ClinicError
from ops.load.mix import Action
from ops.load.practice import VISIT_TYPE

# Most people look at the next weeks. The rate of an exponential distribution, for each week ahead.
WEEKS_AHEAD_RATE = 0.5
WEEKS = 12


class NoSlotsLeftError(ClinicError):
    """More was booked than the doctors of the load test have time for."""


@dataclass(frozen=True)
class Request:
    """A request, not sent yet. `fields` are those of its body; `key` is the Idempotency-Key of a command.

    `text` has to be in a read's response.
    """

    action: Action
    method: str
    path: str
    patient: int
    text: bytes = b""
    key: str | None = None
    fields: dict[str, str] | None = None


@dataclass
class Scene:
    """A load test's data, as they travel between the processes.

    `starts` are slots that every doctor has; `used` is how many of them are taken, by doctor. `patients` are
    ids: patient N sees doctor N % len(doctors). `appointments` are [id, patient's number] of those to come.
    """

    name: str
    doctors: list[str]
    patients: list[str]
    starts: list[str]
    monday: str
    used: list[int] = field(default_factory=list)
    appointments: list[tuple[str, int]] = field(default_factory=list)
    commands: int = 0

    def __post_init__(self) -> None:
        self.used = self.used or [0] * len(self.doctors)

    @property
    def patient_ids(self) -> list[UUID]:
        """The patients' ids."""
        return [UUID(id_) for id_ in self.patients]


class Requests:
    """Makes the request for an action, and keeps the scene up to date with what was decided.

    `as_staff`: bookings name their patient.
    """

    def __init__(self, scene: Scene, chance: Random, as_staff: bool) -> None:
        self.scene = scene
        self._chance = chance
        self._as_staff = as_staff

    def request(self, action: Action) -> Request:
        """The request for an action; with no appointment yet, a booking or the list instead.

        Raises:
            NoSlotsLeftError: nothing can be booked any more.
        """
        scene, patient = self.scene, self._chance.randrange(len(self.scene.patients))
        if action is Action.APPOINTMENT and not scene.appointments:
            action = Action.APPOINTMENTS
        match action:
            case Action.FREE_SLOTS:
                path = f"/v1/doctors/{self._chance.choice(scene.doctors)}/availability?{self._week()}"
                return Request(action, "GET", path, patient, b'"days"')
            case Action.FIRST_FREE:
                query = urlencode({"visit_type": VISIT_TYPE, "specialty": scene.name})
                return Request(action, "GET", f"/v1/availability?{query}", patient, b'"items"')
            case Action.DOCTORS:
                query = urlencode({"specialty": scene.name})
                return Request(action, "GET", f"/v1/doctors?{query}", patient, b'"items"')
            case Action.APPOINTMENTS:
                # Staff would be given everybody's.
                query = f"?patient_id={scene.patients[patient]}" if self._as_staff else ""
                return Request(action, "GET", f"/v1/appointments{query}", patient, b'"items"')
        if action is Action.BOOK or not scene.appointments:
            return self._booking(patient)
        number = self._chance.randrange(len(scene.appointments))
        if action is Action.APPOINTMENT:
            id_, patient = scene.appointments[number]
            return Request(action, "GET", f"/v1/appointments/{id_}", patient, b'"starts_at"')
        id_, patient = self._taken(number)
        path = f"/v1/appointments/{id_}"
        if action is Action.CANCEL:
            return Request(action, "DELETE", path, patient, key=self._key())
        fields = {"starts_at": self._slot(patient)}
        path += "/reschedule"
        return Request(action, "POST", path, patient, key=self._key(), fields=fields)

    def decided(self, request: Request, resource: dict[str, Any]) -> None:
        """Note what became of a command, by its command resource."""
        if resource["state"] == "confirmed" and request.action is not Action.CANCEL:
            self.scene.appointments.append((str(resource["appointment_id"]), request.patient))

    def _booking(self, patient: int) -> Request:
        fields = {
            "doctor_id": self.scene.doctors[patient % len(self.scene.doctors)],
            "visit_type": VISIT_TYPE,
            "starts_at": self._slot(patient),
        }
        if self._as_staff:
            fields["patient_id"] = self.scene.patients[patient]
        path = "/v1/appointments"
        return Request(Action.BOOK, "POST", path, patient, key=self._key(), fields=fields)

    def _taken(self, number: int) -> tuple[str, int]:
        appointments = self.scene.appointments
        appointments[number], appointments[-1] = appointments[-1], appointments[number]
        return appointments.pop()

    def _slot(self, patient: int) -> str:
        doctor = patient % len(self.scene.doctors)
        number = self.scene.used[doctor]
        if number == len(self.scene.starts):
            raise NoSlotsLeftError("A doctor of the load test has no free slot left: use more --doctors.")
        self.scene.used[doctor] += 1
        return self.scene.starts[number]

    def _key(self) -> str:
        self.scene.commands += 1
        return f"{self.scene.name} command {self.scene.commands}".replace(" ", "-")

    def _week(self) -> str:
        ahead = min(int(self._chance.expovariate(WEEKS_AHEAD_RATE)), WEEKS - 1)
        monday = date.fromisoformat(self.scene.monday) + timedelta(weeks=ahead)
        return urlencode({"from": monday, "to": monday + timedelta(days=6), "visit_type": VISIT_TYPE})
