"""A snapshot and the events after its `event_id` make the book: nothing is missing, nothing comes twice."""

import asyncio
import contextlib
import json
import random
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from contracts.commands import Actor, ActorKind
from infra import clock
from scheduling.opening_hours import Interval, without
from tests.clinic import Clinic, Patient, instant
from tests.http.asking import booked, cancel, get, reschedule
from tests.http.event_stream.live_reader import Reader, watching
from tests.waiting import until_async

SEED = 20261125
VISITS = 60
DAYS = 3
READERS_MAX = 40
PATH = "/v1/calendar"
INSTANTS = ("starts_at", "ends_at", "booked_at")


class Folded:
    """The appointments and times off of a snapshot, changed by events as a page would change them.

    Events of an appointment that moved to another doctor may come in another order than they happened: one
    that comes early waits for those before it.
    """

    def __init__(self, snapshot: Any) -> None:
        self.appointments: dict[str, dict[str, Any]] = {}
        self.time_off: dict[str, tuple[Any, ...]] = {}
        self.early: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {}
        for item in snapshot["items"]:
            for shown in item["appointments"]:
                appointment = shown | {name: instant(shown[name]) for name in INSTANTS}
                self.appointments[shown["id"]] = appointment
            for shown in item["time_off"]:
                period = instant(shown["starts_at"]), instant(shown["ends_at"])
                self.time_off[shown["id"]] = (item["doctor_id"], *period)

    def take(self, type_: str, event: dict[str, Any]) -> None:
        """Change as the event says; fails on one whose change is there already."""
        match type_:
            case "TimeBlocked":
                assert event["time_off_id"] not in self.time_off
                period = instant(event["starts_at"]), instant(event["ends_at"])
                self.time_off[event["time_off_id"]] = (event["doctor_id"], *period)
            case "TimeUnblocked":
                del self.time_off[event["time_off_id"]]
            case "AppointmentBooked" | "AppointmentRescheduled" | "AppointmentCancelled":
                id_ = event["appointment_id"]
                assert event["version"] > self._version(id_)
                self.early[id_, event["version"]] = type_, event
                while next_ := self.early.pop((id_, self._version(id_) + 1), None):
                    self._change(id_, *next_)
            case _:
                raise AssertionError(type_)

    def _version(self, id_: str) -> int:
        version: int = self.appointments.get(id_, {"version": 0})["version"]
        return version

    def _change(self, id_: str, type_: str, event: dict[str, Any]) -> None:
        new = {
            "id": id_,
            "booked_at": instant(event["decided_at"]),
            "cancelled_by": None,
            "cancel_reason": None,
            "reason": None,
        }
        appointment = self.appointments.setdefault(id_, new | {"outside_hours": False})
        same = ("doctor_id", "patient_id", "visit_type", "version")
        appointment |= {name: event[name] for name in same}
        appointment |= {name: instant(event[name]) for name in ("starts_at", "ends_at")}
        appointment["status"] = "booked"
        if type_ == "AppointmentCancelled":
            ended = {name: event[name] for name in ("cancelled_by", "cancel_reason")}
            appointment |= {"status": "cancelled", **ended}


async def change_much(clinic: Clinic, doctors: list[str], patients: list[Patient]) -> None:
    """Book; of every four visits move one to another doctor, cancel one; take and give back time off."""
    random_ = random.Random(SEED)
    free = {doctor_id: (await clinic.slots(doctor_id, days=DAYS))[::4] for doctor_id in doctors}
    taken = [
        (doctor_id, free[doctor_id].pop()) for doctor_id in doctors for _ in range(VISITS // len(doctors))
    ]
    random_.shuffle(taken)

    async def visit(number: int, doctor_id: str, starts_at: str) -> None:
        patient_id = str(patients[number % len(patients)].id)
        path = await booked(clinic, clinic.staff, doctor_id, starts_at, patient_id=patient_id)
        if number % 4 == 0:
            other = doctors[(doctors.index(doctor_id) + 1) % len(doctors)]
            await reschedule(clinic, path, clinic.staff, free[other].pop(), doctor_id=other)
        if number % 4 < 2 and number % 3:
            await cancel(clinic, path, clinic.staff)
        if number % 10 == 0:
            starts = instant(free[doctor_id].pop())
            body = {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(minutes=30)).isoformat()}
            away = f"/v1/doctors/{doctor_id}/time-off"
            resource = await clinic.confirmed("POST", away, clinic.staff, body)
            if number % 20:
                await clinic.confirmed("DELETE", f"{away}/{resource['time_off_id']}", clinic.staff)

    for begin in range(0, len(taken), 4):
        together = enumerate(taken[begin : begin + 4], start=begin)
        await asyncio.gather(*(visit(number, *which) for number, which in together))


def check_free(item: dict[str, Any], days: list[date]) -> None:
    """Asserts that a calendar's free time is what its own appointments and time off leave of the hours."""
    taken, free = (
        [Interval(instant(entry["starts_at"]), instant(entry["ends_at"])) for entry in entries]
        for entries in (
            [entry for entry in item["appointments"] if entry["status"] == "booked"] + item["time_off"],
            item["free"],
        )
    )
    openings = [
        Interval(*(datetime.combine(day, time(hour), ZoneInfo(item["time_zone"])) for hour in (8, 18)))
        for day in days
    ]
    assert free == [left for opening in openings for left in without(opening, taken)]


async def test_a_snapshot_and_the_events_after_it_make_the_book(shared: Clinic) -> None:
    doctors = [await shared.doctor() for _ in range(6)]
    patients = await asyncio.gather(*(shared.patient() for _ in range(VISITS)))
    first = clock.now().date() + timedelta(days=1)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    asked = {"doctor_id": doctors, "from_": first, "to": days[-1]}
    async with contextlib.AsyncExitStack() as exits:
        snapshots, readers = list[Any](), list[Reader]()
        changing = asyncio.create_task(change_much(shared, doctors, patients))
        while not changing.done():
            who = shared.headers(Actor(kind=ActorKind.STAFF, id=clock.new_id()))
            snapshots.append(await get(shared.http, PATH, who, **asked))
            if len(readers) < READERS_MAX:
                stream = watching(shared.http, who, snapshots[-1]["event_id"])
                readers.append(await exits.enter_async_context(stream))
        await changing
        final = await get(shared.http, PATH, shared.staff, **asked)
        for snapshot in snapshots[READERS_MAX:]:
            async with watching(shared.http, shared.staff, snapshot["event_id"]) as reader:
                await up_to(reader, final["event_id"])
            readers.append(reader)
        for reader in readers:
            await up_to(reader, final["event_id"])

    whole = Folded(final)
    assert len(whole.appointments) == VISITS
    assert {appointment["status"] for appointment in whole.appointments.values()} == {"booked", "cancelled"}
    assert whole.time_off
    assert len({snapshot["event_id"] for snapshot in snapshots}) > 10, "snapshots between the changes"
    for snapshot, reader in zip(snapshots, readers, strict=True):
        folded = Folded(snapshot)
        for type_, data in reader.messages:
            folded.take(type_, json.loads(data))
        assert (folded.appointments, folded.time_off) == (whole.appointments, whole.time_off)
        assert not folded.early
        for item in snapshot["items"]:
            check_free(item, days)


async def up_to(reader: Reader, event_id: str) -> None:
    async def there() -> bool:
        return reader.last_id == event_id

    await until_async(there, "all events")
