"""A client's next request, chosen at random and from what earlier answers have shown."""

import random
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.faults.workload.history import STAFF
from tests.faults.workload.scene import (
    CLOSES,
    CODES,
    OPENS,
    Ask,
    Scene,
    SceneDoctor,
    picked,
    visit_types,
    weekly,
)

NOBODYS_APPOINTMENT = UUID(int=0xFA017, version=4)
REMEMBERED_MAX = 200
# The other requests are made blindly, and mostly refused.
OFFER_TAKEN_SHARE = 0.5
# Requests for cancelled appointments are repeated less often.
STANDING_SHARE = 0.8
WRITES = {
    "book": 30,
    "book_as_staff": 8,
    "clash": 8,
    "reschedule": 12,
    "reschedule_as_staff": 5,
    "cancel": 11,
    "cancel_as_staff": 4,
    "outcome": 6,
    "block": 5,
    "unblock": 6,
    "hours": 1,
    "update": 2,
}
READS = {
    "availability": 8,
    "appointment": 6,
    "any_appointment": 3,
    "own_list": 3,
    "doctor": 1,
    "schedule": 1,
    "calendar": 2,
    "list_of_doctor": 1,
    "mostly_anothers_appointment": 2,
    "own_pages": 1,
    "own_by_status": 1,
    "pages_of_patient": 1,
}
STATUSES = ("booked", "cancelled", "completed", "no_show")


@dataclass
class Board:
    """What all clients know: booked appointments with their patients, time off, and free slots.

    `cancelled` are some of the appointments; `offered` has, for a doctor, when a `CODES[0]` was free at the
    last read.
    """

    appointments: list[tuple[str, str]] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    time_off: list[tuple[str, str]] = field(default_factory=list)
    offered: dict[str, list[str]] = field(default_factory=dict)

    def note(self, ask: Ask, answer: dict[str, Any]) -> None:
        """Learn from an answer: what was confirmed, and a doctor's availability."""
        if answer.get("visit_type") == CODES[0] and "days" in answer:
            slots = (slot for day in answer["days"] for slot in day["slots"])
            self.offered[answer["doctor_id"]] = [slot["starts_at"] for slot in slots]
        if answer.get("state") != "confirmed":
            return
        if answer.get("type") == "BookAppointment":
            patient = (ask.body or {}).get("patient_id") or ask.actor
            self.appointments.append((answer["appointment_id"], patient))
            del self.appointments[:-REMEMBERED_MAX]
        elif answer.get("type") == "CancelAppointment":
            self.cancelled.add(answer["appointment_id"])
        elif answer.get("type") == "BlockTime":
            self.time_off.append((answer["doctor_id"], answer["time_off_id"]))


class Mix:
    """Makes the requests of one client, who is a patient and also works in the clinic."""

    def __init__(self, scene: Scene, patients: list[str], me: str, board: Board) -> None:
        self._scene = scene
        self._patients = patients
        self._me = me
        self._board = board

    def writes(self, chance: random.Random) -> list[Ask]:
        """The next writes, usually one; several are sent at once."""
        [name] = chance.choices(list(WRITES), list(WRITES.values()))
        found: list[Ask] = getattr(self, f"_{name}")(chance)
        return found

    def read(self, chance: random.Random) -> Ask:
        """The next read."""
        [name] = chance.choices(list(READS), list(READS.values()))
        doctor = self._doctor(chance)
        first, last = self._scene.dates()
        own, anyones = self._own(chance), picked(chance, self._board.appointments)
        days = f"from={first}&to={last}"
        match name:
            case "availability":
                path = f"/v1/doctors/{doctor.id}/availability?{days}&visit_type={chance.choice(CODES)}"
                return Ask("GET", path, self._me)
            case "appointment":
                return Ask("GET", f"/v1/appointments/{own}", self._me)
            case "any_appointment" | "mostly_anothers_appointment":
                id_ = anyones[0] if anyones else NOBODYS_APPOINTMENT
                return Ask("GET", f"/v1/appointments/{id_}", STAFF if name == "any_appointment" else self._me)
            case "own_pages":
                return Ask("GET", "/v1/appointments?limit=5", self._me)
            case "own_by_status":
                status = chance.choice(STATUSES)
                return Ask("GET", f"/v1/appointments?status={status}&limit=5", self._me)
            case "pages_of_patient":
                patient = chance.choice(self._patients)
                return Ask("GET", f"/v1/appointments?patient_id={patient}&limit=5", STAFF)
            case "own_list":
                return Ask("GET", "/v1/appointments?limit=200", self._me)
            case "list_of_doctor":
                return Ask("GET", f"/v1/appointments?doctor_id={doctor.id}&status=booked&limit=200", STAFF)
            case "doctor":
                return Ask("GET", f"/v1/doctors/{doctor.id}", self._me)
            case "schedule":
                return Ask("GET", f"/v1/doctors/{doctor.id}/schedule", self._me)
        return Ask("GET", f"/v1/doctors/{doctor.id}/calendar?{days}", STAFF)

    def other(self, ask: Ask, chance: random.Random) -> Ask:
        """A different request, to be sent with the key of `ask`."""
        others = [candidate for candidate in self._book(chance) if candidate != ask]
        body = others[0].body if others else {**ask.body, "visit_type": "other"}
        if ask.actor == STAFF:
            body = {**body, "patient_id": chance.choice(self._patients)}
        return Ask("POST", "/v1/appointments", ask.actor, body)

    def _doctor(self, chance: random.Random, walk_in: bool | None = None) -> SceneDoctor:
        return chance.choice([doctor for doctor in self._scene.doctors if walk_in in (None, doctor.walk_in)])

    def _own(self, chance: random.Random) -> str:
        own = [id_ for id_, patient in self._board.appointments if patient == self._me]
        if chance.random() < STANDING_SHARE:
            own = [id_ for id_ in own if id_ not in self._board.cancelled]
        return str(picked(chance, own) or NOBODYS_APPOINTMENT)

    def _anyones(self, chance: random.Random) -> str:
        found = picked(chance, self._board.appointments)
        return str(found[0] if found else NOBODYS_APPOINTMENT)

    def _slot(self, chance: random.Random, walk_in: bool | None = None) -> dict[str, Any]:
        doctor = self._doctor(chance, walk_in)
        [code] = chance.choices(CODES, (3, 1))
        return {"doctor_id": doctor.id, "starts_at": self._scene.start(chance, doctor), "visit_type": code}

    def _book(self, chance: random.Random) -> list[Ask]:
        slot = self._slot(chance)
        offer, wanted = picked(chance, self._board.offered.get(slot["doctor_id"], [])), chance.random()
        if offer and wanted < OFFER_TAKEN_SHARE:
            slot |= {"starts_at": offer, "visit_type": CODES[0]}
        if chance.random() < 0.1:
            slot["reason"] = "Back pain"
        return [Ask("POST", "/v1/appointments", self._me, slot)]

    def _book_as_staff(self, chance: random.Random) -> list[Ask]:
        walk_in = True if chance.random() < 0.5 else None
        body = {**self._slot(chance, walk_in), "patient_id": chance.choice(self._patients)}
        return [Ask("POST", "/v1/appointments", STAFF, body)]

    def _clash(self, chance: random.Random) -> list[Ask]:
        # Two doctors at the same instant, at which both of them work and, as far as known, are free.
        first = self._doctor(chance, walk_in=False)
        near = [
            doctor.id for doctor in self._scene.doctors if doctor.zone == first.zone and not doctor.walk_in
        ]
        asked = chance.sample(near, 2)
        free = [self._board.offered.get(id_, []) for id_ in asked]
        start = picked(chance, [slot for slot in free[0] if slot in free[1]])
        body = {"starts_at": start or self._scene.start(chance, first), "visit_type": CODES[0]}
        return [Ask("POST", "/v1/appointments", self._me, {"doctor_id": id_, **body}) for id_ in asked]

    def _reschedule(self, chance: random.Random) -> list[Ask]:
        return [self._move(chance, self._own(chance), self._me)]

    def _reschedule_as_staff(self, chance: random.Random) -> list[Ask]:
        return [self._move(chance, self._anyones(chance), STAFF)]

    def _move(self, chance: random.Random, id_: str, actor: str) -> Ask:
        slot = self._slot(chance, walk_in=False)
        kept = [name for name in slot if name == "starts_at" or chance.random() < 0.6]
        body = {name: slot[name] for name in kept}
        return Ask("POST", f"/v1/appointments/{id_}/reschedule", actor, body)

    def _cancel(self, chance: random.Random) -> list[Ask]:
        id_ = self._anyones(chance) if chance.random() < 0.1 else self._own(chance)
        return [Ask("DELETE", f"/v1/appointments/{id_}", self._me)]

    def _cancel_as_staff(self, chance: random.Random) -> list[Ask]:
        query = "?reason=illness" if chance.random() < 0.5 else ""
        return [Ask("DELETE", f"/v1/appointments/{self._anyones(chance)}{query}", STAFF)]

    def _outcome(self, chance: random.Random) -> list[Ask]:
        outcome = chance.choice(("completed", "no_show"))
        path = f"/v1/appointments/{self._anyones(chance)}/outcome"
        return [Ask("POST", path, STAFF, {"outcome": outcome})]

    def _block(self, chance: random.Random) -> list[Ask]:
        doctor = self._doctor(chance, walk_in=False)
        body: dict[str, Any] = {**self._scene.time_off(chance, doctor)}
        if chance.random() < 0.5:
            body["cancel_conflicting"] = True
        return [Ask("POST", f"/v1/doctors/{doctor.id}/time-off", STAFF, body)]

    def _unblock(self, chance: random.Random) -> list[Ask]:
        away = picked(chance, self._board.time_off)
        if away is None:
            return self._block(chance)
        # Mostly removed from the board, so that some time off lasts; sometimes it is removed twice.
        if chance.random() < 0.9:
            self._board.time_off.remove(away)
        return [Ask("DELETE", f"/v1/doctors/{away[0]}/time-off/{away[1]}", STAFF)]

    def _hours(self, chance: random.Random) -> list[Ask]:
        doctor = self._doctor(chance, walk_in=False)
        kinds = (
            [(OPENS, CLOSES)],
            [(OPENS, "11:00"), ("11:30", CLOSES)],
            [(OPENS, "11:00"), ("10:00", CLOSES)],
        )
        hours = weekly(*chance.choice(kinds))
        return [Ask("PUT", f"/v1/doctors/{doctor.id}/schedule", STAFF, {"hours": hours})]

    def _update(self, chance: random.Random) -> list[Ask]:
        doctor = self._doctor(chance, walk_in=False)
        change: dict[str, Any] = chance.choice(
            (
                {"visit_types": visit_types(chance, walk_in=False)},
                {"policy": {"max_active_per_patient": chance.randint(2, 5)}},
                {"active": chance.random() < 0.7, "specialty": f"faults {chance.randint(1, 9)}"},
                {"policy": {"change_notice_minutes": chance.choice((0, 120, 4_320))}, "active": True},
            )
        )
        return [Ask("PATCH", f"/v1/doctors/{doctor.id}", STAFF, change)]
