"""One run: every step is sent over HTTP and to the model; at the end their states are compared."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from hypothesis import note

from contracts.commands import Actor, ActorKind
from infra import clock
from ops.tokens import register_patients
from tests.book import model, practice, steps
from tests.book.model import STAFF
from tests.book.steps import Scene, Step
from tests.book.wording import answer, by_turns, half, modelled, visit_types, written
from tests.clinic import Clinic, instant

HALF_HOUR = timedelta(minutes=30)
# Refused by the ingress, without a decision.
SEEN_BY_THE_INGRESS = {"unknown_appointment": "not_found", "not_yours": "not_found"}
Decide = Callable[[dict[str, Any], datetime], str]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    actor: str
    body: Any
    key: str


class Run:
    """The new doctors and patients of a clinic, and their model."""

    def __init__(self, clinic: Clinic, scene: Scene, patients: list[str]) -> None:
        self.answers: Counter[str] = Counter()
        self.book = model.Book()
        self._clinic = clinic
        self.scene = scene
        self.patients = patients
        self._doctors = [str(clock.new_id()) for _ in range(steps.DOCTORS)]
        self._time_off: list[tuple[str, str]] = []
        self._answered: list[tuple[Request, Any]] = []
        self._long = timedelta(days=1_000)

    @classmethod
    async def of(cls, clinic: Clinic, scene: Scene) -> "Run":
        addresses = [f"{clock.new_id().hex}@example.org" for _ in range(steps.PATIENTS)]
        ids = await register_patients(clinic.settings, addresses)
        return cls(clinic, scene, [str(id_) for id_ in ids])

    async def take(self, step: Step) -> None:
        """Send a step to both. Raises AssertionError when their answers differ."""
        match step:
            case steps.Repeat():
                await self._repeat(step)
            case steps.TimePasses():
                await self._time_passes(step)
            case _:
                await self._compare(step)

    async def _compare(self, step: Step) -> None:
        method, path, actor, body, decide = self._asked(step)
        request = Request(method, path, actor, body, clock.new_id().hex)
        response = await self._send(request)
        resource = response.json()
        now = instant(resource["decided_at"]) if response.status_code == 200 else clock.now()
        expected = decide(resource, now)
        expected = SEEN_BY_THE_INGRESS.get(expected, expected)
        said = answer(response)
        note(f"{step}\n  at {now:%H:%M:%S.%f}: {said}")
        assert said == expected, f"{step}: the clinic said {said}, the model {expected}"
        self.answers[said.split()[0]] += 1
        if response.status_code == 200:
            self._answered.append((request, resource))

    def _asked(self, step: Step) -> tuple[str, str, str, Any, Decide]:
        match step:
            case steps.Book() | steps.Reschedule() | steps.Cancel() | steps.RecordOutcome():
                return self._about_an_appointment(step)
            case steps.Unblock():
                return self._unblock(step)
        return self._about_a_doctor(step)

    def _unblock(self, step: steps.Unblock) -> tuple[str, str, str, Any, Decide]:
        known = [pair for pair in self._time_off if pair[0] in self.book.doctors]
        id_, away = known[step.time_off % len(known)] if known else (self._doctors[0], str(clock.new_id()))
        if step.of_another:
            id_ = self._doctors[(self._doctors.index(id_) + 1) % steps.DOCTORS]
        path = f"/v1/doctors/{id_}/time-off/{away}"
        return "DELETE", path, STAFF, None, lambda _, now: self.book.unblock(id_, away)

    def _about_an_appointment(self, step: Step) -> tuple[str, str, str, Any, Decide]:
        book, at = self.book, self.scene.at
        match step:
            case steps.Book(actor, patient, doctor, code, starts):
                who, doctor_id = self._actor(actor), self._doctors[doctor]
                whose = self.patients[patient] if who == STAFF else who
                body = {"doctor_id": doctor_id, "starts_at": self._text(starts), "visit_type": code}
                if who == STAFF:
                    body["patient_id"] = whose

                def book_it(made: dict[str, Any], now: datetime) -> str:
                    return book.book(who, made["appointment_id"], whose, doctor_id, code, at(starts), now)

                return "POST", "/v1/appointments", who, body, book_it
            case steps.Reschedule(actor, number, starts, new_doctor, new_code):
                who, id_ = self._actor(actor, number), self._appointment(number)
                to = None if new_doctor is None else self._doctors[new_doctor]
                asked = {"starts_at": self._text(starts), "doctor_id": to, "visit_type": new_code}
                body = {name: value for name, value in asked.items() if value is not None}
                path = f"/v1/appointments/{id_}/reschedule"
                return (
                    "POST",
                    path,
                    who,
                    body,
                    lambda _, now: book.reschedule(who, id_, at(starts), now, to, new_code),
                )
            case steps.Cancel(actor, number, with_reason):
                who, id_ = self._actor(actor, number), self._appointment(number)
                why = "illness" if with_reason and who == STAFF else None
                path = f"/v1/appointments/{id_}" + (f"?reason={why}" if why else "")
                return "DELETE", path, who, None, lambda _, now: book.cancel(who, id_, now, why)
            case steps.RecordOutcome(number, outcome):
                id_ = self._appointment(number)
                path = f"/v1/appointments/{id_}/outcome"
                decide: Decide = lambda _, now: book.record_outcome(id_, outcome, now)  # noqa: E731
                return "POST", path, STAFF, {"outcome": outcome}, decide
        raise AssertionError(step)

    def _about_a_doctor(self, step: Any) -> tuple[str, str, str, Any, Decide]:
        book, id_ = self.book, self._doctors[step.doctor]
        path = f"/v1/doctors/{id_}"
        match step:
            case steps.Register(_, time_zone, codes, policy):
                types = visit_types(codes)
                body = {"id": id_, "name": "Dr. Model", "specialty": "tests", "time_zone": time_zone}
                body |= {"visit_types": types, "policy": policy}
                new = practice.Doctor(time_zone, modelled(types), practice.Policy(**policy))
                return "POST", "/v1/doctors", STAFF, body, lambda _, now: book.register(id_, new)
            case steps.Update(_, changes):
                body, known = dict(changes), dict(changes)
                if "visit_types" in changes:
                    body["visit_types"] = visit_types(changes["visit_types"])
                    known["visit_types"] = modelled(body["visit_types"])
                return "PATCH", path, STAFF, body, lambda _, now: book.update(id_, known)
            case steps.SetHours(_, openings):
                hours = self._hours(id_, openings)
                body = {"hours": [written(entry) for entry in hours]}
                return "PUT", f"{path}/schedule", STAFF, body, lambda _, now: book.set_hours(id_, hours)
            case steps.Block(_, starts, length, cancel_conflicting):
                when = (self.scene.at(starts), self.scene.at(starts) + length * HALF_HOUR / 2)
                body = {"starts_at": when[0].isoformat(), "ends_at": when[1].isoformat()}

                def block(made: dict[str, Any], now: datetime) -> str:
                    self._time_off.append((id_, made["time_off_id"]))
                    return book.block(id_, made["time_off_id"], when, cancel_conflicting, now)

                body |= {"cancel_conflicting": cancel_conflicting}
                return "POST", f"{path}/time-off", STAFF, body, block
        raise AssertionError(step)

    async def _repeat(self, step: steps.Repeat) -> None:
        if not self._answered:
            return
        request, first = self._answered[step.request % len(self._answered)]
        if step.other_body:
            body = {"doctor_id": self._doctors[0], "starts_at": "2199-01-01T00:00:00Z", "visit_type": "other"}
            body |= {"patient_id": self.patients[0]} if request.actor == STAFF else {}
            other = replace(request, method="POST", path="/v1/appointments", body=body)
            assert answer(await self._send(other)) == "idempotency_key_reused", (step, request)
        else:
            response = await self._send(request)
            assert response.headers.get("idempotency-replayed") == "true", (step, request)
            assert response.json() == first, (step, request)

    async def _time_passes(self, step: steps.TimePasses) -> None:
        id_ = self._appointment(step.appointment)
        self._long += timedelta(days=30)  # not where another one has moved to
        if (known := self.book.appointments.get(id_)) is None:
            return
        shift = -self._long
        self.book.appointments[id_] = replace(
            known,
            visit=(known.visit[0] + shift, known.visit[1] + shift),
            occupied=(known.occupied[0] + shift, known.occupied[1] + shift),
        )
        await self._clinic.postgres.execute(
            """
            UPDATE booking.appointments SET starts_at = starts_at + $2::interval,
                ends_at = ends_at + $2::interval,
                occupied = tstzrange(lower(occupied) + $2::interval, upper(occupied) + $2::interval)
            WHERE id = $1
            """,
            id_,
            shift,
        )

    async def _send(self, request: Request) -> httpx.Response:
        who = self.headers(request.actor)
        return await self._clinic.send(request.method, request.path, who, request.body, request.key)

    def headers(self, actor: str) -> dict[str, str]:
        """A token of the patient, or of staff."""
        if actor == STAFF:
            return self._clinic.staff
        return self._clinic.headers(Actor.model_validate({"kind": ActorKind.PATIENT, "id": actor}))

    def _actor(self, number: int, appointment: int = 0) -> str:
        if number == steps.STAFF:
            return STAFF
        if number == steps.OWNER:
            known = self.book.appointments.get(self._appointment(appointment))
            return known.patient if known else self.patients[0]
        return self.patients[number]

    def _appointment(self, number: int) -> str:
        return by_turns(list(self.book.appointments), number)

    def _text(self, when: steps.When) -> str:
        return self.scene.at(when).isoformat()

    def _hours(self, doctor_id: str, openings: tuple[steps.Opening, ...]) -> tuple[practice.Hours, ...]:
        doctor = self.book.doctors.get(doctor_id)
        base = self.scene.base.astimezone(ZoneInfo(doctor.time_zone if doctor else steps.ZONES[0]))
        found = []
        for opening in openings:
            begins = 2 * base.hour + opening.starts
            first, last = max(0, begins), min(48, begins + opening.length)
            if first >= last:
                continue
            limits = [None if day is None else base.date() + timedelta(days=day) for day in opening.valid]
            names = {"valid_from": limits[0], "valid_until": limits[1]}
            valid = {name: day for name, day in names.items() if day is not None}
            weekdays = range(1, 8) if opening.every_day else (base.isoweekday(),)
            found += [practice.Hours(weekday, half(first), half(last), **valid) for weekday in weekdays]
        return tuple(found)
