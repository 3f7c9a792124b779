"""A random history of a clinic, as records of the commands' topic: all commands and all kinds of errors."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.cloudevents import command_headers, command_key
from contracts.commands import (
    Actor,
    ActorKind,
    BlockTime,
    BookAppointment,
    CancelAppointment,
    Command,
    RecordOutcome,
    RegisterDoctor,
    RescheduleAppointment,
    SetWeeklyHours,
    UnblockTime,
    UpdateDoctor,
    VisitOutcome,
    derived_id,
)
from contracts.doctors import Hours, Policy, PolicyChange, VisitType
from infra import clock

STEP = timedelta(minutes=2)
SLOT = timedelta(minutes=30)
VISIT_TYPES = (
    VisitType(code="checkup", name="Check-up", minutes=30),
    VisitType(code="long", name="Long", minutes=60, buffer_after_minutes=15),
)
ALL_DAY = tuple(
    Hours.model_validate({"weekday": day, "starts": "00:00", "ends": "23:30"}) for day in range(1, 8)
)
MORNINGS = tuple(
    Hours.model_validate({"weekday": day, "starts": "06:00", "ends": "12:00"}) for day in range(1, 8)
)
STAFF = Actor(kind=ActorKind.STAFF, id=UUID(int=1))
TRACE = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


@dataclass(frozen=True)
class Record:
    """A record to send. `at` becomes the broker's timestamp."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    at: datetime


class History:
    """Records in order, at accelerated times that end today."""

    def __init__(self, seed: int, length: int, doctors: int = 8, patients: int = 20) -> None:
        """`length` records, behind those that register the doctors."""
        self._chance = random.Random(seed)
        self._length = length
        self._at = clock.now().replace(second=0, microsecond=0) - (length + 10 * doctors) * STEP
        self._doctors = [self._id() for _ in range(doctors)]
        self._patients = [self._id() for _ in range(patients)]
        self._appointments: list[tuple[UUID, UUID]] = []
        self._ended: list[tuple[UUID, UUID]] = []
        self._time_off: list[tuple[UUID, UUID]] = []
        self._sent: list[tuple[Command, Record]] = []

    def records(self) -> Iterator[Record]:
        """All records. The last ones leave no trace in the events: repeats, and records without an id."""
        for doctor_id in self._doctors:
            yield self._record(self._register(doctor_id))
            yield self._record(SetWeeklyHours(**self._name(doctor_id), hours=ALL_DAY))
        for _ in range(self._length):
            yield self._next()
        for _, record in self._chance.sample(self._sent, 8):
            yield Record(record.key, record.value, record.headers, self._at)
            yield Record(record.key, b"nonsense", [], self._at)

    def _next(self) -> Record:
        self._at += STEP
        kinds = {
            self._book: 45,
            self._reschedule: 16,
            self._cancel: 12,
            self._outcome: 8,
            self._block: 4,
            self._unblock: 2,
            self._change: 5,
        }
        if self._chance.random() < 0.08:
            return self._wrong()
        [kind] = self._chance.choices(list(kinds), list(kinds.values()))
        return self._record(kind())

    def _book(self) -> Command:
        doctor_id, patient_id = self._chance.choice(self._doctors), self._chance.choice(self._patients)
        name = self._name(doctor_id, patient_id)
        appointment_id = derived_id(name["command_id"], "appointment")
        self._appointments.append((appointment_id, doctor_id))
        return BookAppointment(
            **name,
            appointment_id=appointment_id,
            patient_id=patient_id,
            visit_type=self._chance.choices(["checkup", "long", "unknown"], [8, 4, 1])[0],
            starts_at=self._time(),
            reason="c2VhbGVk" if self._chance.random() < 0.3 else None,
        )

    def _reschedule(self) -> Command:
        appointment_id, doctor_id = self._appointment()
        to = self._chance.choice([doctor_id, *self._doctors[:4]])
        return RescheduleAppointment(**self._name(to), appointment_id=appointment_id, starts_at=self._time())

    def _cancel(self) -> Command:
        appointment_id, doctor_id = self._appointment()
        # Keyed by an earlier doctor of the appointment, perhaps from long ago.
        return CancelAppointment(**self._name(doctor_id), appointment_id=appointment_id, reason="other")

    def _outcome(self) -> Command:
        # Mostly of one that has begun, sometimes too early, and often once more, which may correct it.
        if self._ended and self._chance.random() < 0.4:
            appointment_id, doctor_id = self._ended[-1]
        else:
            past = self._appointments[-300:-120]
            appointment_id, doctor_id = self._chance.choice(past) if past else self._appointment()
            self._ended.append((appointment_id, doctor_id))
        outcome = self._chance.choice(list(VisitOutcome))
        return RecordOutcome(**self._name(doctor_id), appointment_id=appointment_id, outcome=outcome)

    def _block(self) -> Command:
        doctor_id, starts_at = self._chance.choice(self._doctors), self._time()
        name = self._name(doctor_id)
        time_off_id = derived_id(name["command_id"], "time-off")
        self._time_off.append((time_off_id, doctor_id))
        return BlockTime(
            **name,
            time_off_id=time_off_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=self._chance.randint(1, 6)),
            cancel_conflicting=self._chance.random() < 0.7,
        )

    def _unblock(self) -> Command:
        time_off_id, doctor_id = self._chance.choice(self._time_off or [(self._id(), self._doctors[0])])
        return UnblockTime(**self._name(doctor_id), time_off_id=time_off_id)

    def _change(self) -> Command:
        doctor_id = self._chance.choice(self._doctors)
        changes: list[dict[str, Any]] = [
            {"policy": PolicyChange(max_active_per_patient=self._chance.randint(1, 9))},
            {"policy": PolicyChange(change_notice_minutes=self._chance.choice([0, 120, 2_000]))},
            {"active": self._chance.random() < 0.8},
            {"name": f"Dr. {self._chance.random()}"},
        ]
        if self._chance.random() < 0.2:
            return self._register(doctor_id)
        if self._chance.random() < 0.3:
            hours = self._chance.choice([ALL_DAY, ALL_DAY, MORNINGS, MORNINGS * 2])
            return SetWeeklyHours(**self._name(doctor_id), hours=hours)
        return UpdateDoctor(**self._name(doctor_id), **self._chance.choice(changes))

    def _register(self, doctor_id: UUID) -> Command:
        return RegisterDoctor(
            **self._name(doctor_id),
            name="Dr. History",
            specialty="replays",
            time_zone="Europe/Berlin",
            visit_types=VISIT_TYPES,
            policy=Policy(slot_minutes=30, max_active_per_patient=5),
        )

    def _wrong(self) -> Record:
        """A repeat; the same id for another doctor; or an undecidable record, with and without an id."""
        given, record = self._chance.choice(self._sent[-50:])
        other = self._chance.choice(self._doctors)
        new = self._record(self._book())
        match self._chance.randrange(6):
            case 0:
                return Record(record.key, record.value, record.headers, self._at)
            case 1:
                return self._record(given.model_copy(update={"doctor_id": other}))
            case 2:
                return Record(new.key, b"\x00\xff", new.headers, self._at)
            case 3:
                return Record(b"\xff\x00", new.value, new.headers, self._at)
            case 4:
                return Record(new.key, json.dumps({}).encode(), [], self._at)
            case _:
                # Of one that was decided before.
                return Record(record.key, b"nonsense", record.headers, self._at)

    def _record(self, command: Command) -> Record:
        headers = command_headers(command, self._at)
        if self._chance.random() < 0.5:
            headers.append(TRACE)
        record = Record(command_key(command), command.model_dump_json().encode(), headers, self._at)
        self._sent.append((command, record))
        return record

    def _name(self, doctor_id: UUID, patient_id: UUID | None = None) -> Any:
        by_patient = patient_id is not None and self._chance.random() < 0.7
        actor = Actor(kind=ActorKind.PATIENT, id=patient_id) if by_patient and patient_id else STAFF
        if patient_id is None and self._chance.random() < 0.1:
            actor = Actor(kind=ActorKind.PATIENT, id=self._chance.choice(self._patients))
        id_ = self._id()
        return {"command_id": id_, "fingerprint": id_.hex, "actor": actor, "doctor_id": doctor_id}

    def _appointment(self) -> tuple[UUID, UUID]:
        # Mostly a recent one, so that it has not begun yet or just has.
        return self._chance.choice(self._appointments[-60:] or [(self._id(), self._doctors[0])])

    def _time(self) -> datetime:
        soon = datetime.fromtimestamp(
            self._at.timestamp() // SLOT.total_seconds() * SLOT.total_seconds(), UTC
        )
        return soon + self._chance.randint(-1, 24) * SLOT

    def _id(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128), version=4)
