"""`clinic seed demo`: a small clinic, sent through the real commands.

Every command has a fixed Idempotency-Key, so that a second run changes nothing and completes an interrupted
one. Its dates are those of the first run, read from the hours that were set.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console
from rich.progress import Progress

from contracts.refusals import Reason
from infra import clock
from infra.crypto.tls import client_context
from infra.jobs import all_of
from infra.settings import Settings
from ops.commands import DecidedCommand, Sender
from ops.tokens import register_patients, staff_token

IN_FLIGHT_MAX = 20
DAYS = tuple(day for week in (0, 7) for day in range(week, week + 5))
"""Two weeks, Monday to Friday, counted from the first Monday."""

VALID_DAYS = 14
VISIT_MINUTES = 30
OPENINGS = ((9, 12), (13, 18))
"""Local hours of every day, to the full hour."""

STARTS = tuple(
    time(minutes // 60, minutes % 60)
    for opens, closes in OPENINGS
    for minutes in range(60 * opens, 60 * closes, VISIT_MINUTES)
)
SLOTS_PER_DOCTOR = len(DAYS) * len(STARTS)
APPOINTMENTS_PER_DOCTOR = 48

DOCTORS = (
    ("Dr. Hanna Weiss", "General practice"),
    ("Dr. Milan Novak", "Cardiology"),
    ("Dr. Leila Haddad", "Dermatology"),
    ("Dr. Oskar Lindqvist", "Paediatrics"),
    ("Dr. Priya Raman", "Orthopaedics"),
)
VISIT_TYPES = (
    {"code": "checkup", "name": "Check-up", "minutes": VISIT_MINUTES},
    {"code": "consultation", "name": "Long consultation", "minutes": 2 * VISIT_MINUTES},
)
PATIENTS = tuple(
    f"{name}@example.com"
    for name in [
        "ada.keller",
        "ben.okafor",
        "carla.mendes",
        "david.brandt",
        "elif.yilmaz",
        "felix.huber",
        "greta.sand",
        "hugo.martin",
        "ines.costa",
        "jonas.vogt",
        "kira.petrova",
        "liam.byrne",
        "mara.schulz",
        "nils.berg",
        "olga.dvorak",
        "paul.richter",
        "rosa.fontana",
        "samir.aziz",
        "tilda.nyman",
        "viktor.lang",
    ]
)


@dataclass(frozen=True)
class DemoVisit:
    """One appointment to make: indexes into `DOCTORS` and `PATIENTS`, and the slot's local day and time."""

    number: int
    doctor: int
    patient: int
    day: int
    start: time


def visits() -> Iterator[DemoVisit]:
    """The 240 appointments: 48 per doctor, 12 per patient, 3 to 7 on a doctor's day.

    The steps are chosen so that no patient is in two places at once, or sees a doctor twice on one day.
    """
    for doctor in range(len(DOCTORS)):
        for number in range(APPOINTMENTS_PER_DOCTOR):
            day, start = divmod((37 * number + 64 * doctor) % SLOTS_PER_DOCTOR, len(STARTS))
            yield DemoVisit(
                number=doctor * APPOINTMENTS_PER_DOCTOR + number + 1,
                doctor=doctor,
                patient=(number + APPOINTMENTS_PER_DOCTOR * doctor) % len(PATIENTS),
                day=DAYS[day],
                start=STARTS[start],
            )


async def seed_demo(settings: Settings, say: Callable[[str], None] = print) -> None:
    """Send the demo data to `settings.url`; a progress bar on a terminal, and one line for `say` at the end.

    Raises:
        ClinicError: a command was refused or failed, or the ingress does not answer; a new run continues.
    """
    console = Console()
    headers = {"Authorization": f"Bearer {staff_token(settings)}"}
    bar = Progress(console=console, disable=not console.is_terminal, transient=True)
    trusted = client_context(settings.ca_file)
    async with httpx.AsyncClient(
        base_url=settings.url, headers=headers, trust_env=False, verify=trusted
    ) as http:
        with bar:
            step = bar.add_task("demo data", total=2 * len(DOCTORS) + len(DOCTORS) * APPOINTMENTS_PER_DOCTOR)
            demo = _Demo(settings, Sender(http, IN_FLIGHT_MAX), lambda: bar.advance(step))
            summary = await demo.seed()
    say(summary)


class _Demo:
    """One run. `advance` is called once per command that is answered."""

    def __init__(self, settings: Settings, sender: Sender, advance: Callable[[], None]) -> None:
        self._settings = settings
        self._sender = sender
        self._advance = advance

    async def seed(self) -> str:
        """Send all commands and return a summary."""
        patient_ids = await register_patients(self._settings, PATIENTS)
        doctor_ids = await all_of(self._register(number) for number in range(1, len(DOCTORS) + 1))
        schedules = await all_of(self._sender.get(f"/v1/doctors/{id_}/schedule") for id_ in doctor_ids)
        monday = _first_monday(schedules) or next_monday(self._settings)
        await all_of(self._open(number, id_, monday) for number, id_ in enumerate(doctor_ids, 1))
        zones = [ZoneInfo(schedule["time_zone"]) for schedule in schedules]
        doctors = list(zip(doctor_ids, zones, strict=True))
        answers = await all_of(
            self._book(visit, *doctors[visit.doctor], patient_ids[visit.patient], monday)
            for visit in visits()
        )
        return _summary(answers)

    async def _register(self, number: int) -> UUID:
        name, specialty = DOCTORS[number - 1]
        body = {
            "name": name,
            "specialty": specialty,
            "visit_types": VISIT_TYPES,
            "policy": {"slot_minutes": VISIT_MINUTES},
        }
        answer = await self._confirmed("POST", "/v1/doctors", f"demo-doctor-{number}", body)
        return UUID(answer.resource["doctor_id"])

    async def _open(self, number: int, doctor_id: UUID, monday: date) -> None:
        validity = {
            "valid_from": monday.isoformat(),
            "valid_until": (monday + timedelta(days=VALID_DAYS - 1)).isoformat(),
        }
        hours = [
            {"weekday": weekday, "starts": f"{opens:02}:00", "ends": f"{closes:02}:00", **validity}
            for weekday in range(1, 6)
            for opens, closes in OPENINGS
        ]
        # The Monday is part of the key, because a run that was killed before it set any hours may be followed
        # by one with another Monday.
        key = f"demo-schedule-{number}-{monday}"
        await self._confirmed("PUT", f"/v1/doctors/{doctor_id}/schedule", key, {"hours": hours})

    async def _book(
        self, visit: DemoVisit, doctor_id: UUID, zone: ZoneInfo, patient_id: UUID, monday: date
    ) -> DecidedCommand:
        starts_at = datetime.combine(monday + timedelta(days=visit.day), visit.start, zone)
        body = {
            "doctor_id": str(doctor_id),
            "patient_id": str(patient_id),
            "starts_at": starts_at.isoformat(),
            "visit_type": "checkup",
        }
        key = f"demo-appointment-{visit.number}"
        answer = await self._sender.send("POST", "/v1/appointments", key, body)
        if not _is_over(answer):
            answer.must_be_confirmed()
        self._advance()
        return answer

    async def _confirmed(self, method: str, path: str, key: str, body: object) -> DecidedCommand:
        answer = await self._sender.send(method, path, key, body)
        answer.must_be_confirmed()
        self._advance()
        return answer


def next_monday(settings: Settings) -> date:
    """The next Monday at the clinic, never today."""
    today = clock.now().astimezone(ZoneInfo(settings.time_zone)).date()
    return today + timedelta(days=8 - today.isoweekday())


def _first_monday(schedules: list[dict[str, list[dict[str, str]]]]) -> date | None:
    # The most frequent Monday: a demo doctor's hours may have been changed since.
    mondays = Counter(
        hours["valid_from"]
        for schedule in schedules
        for hours in schedule["hours"]
        if hours.get("valid_from")
    )
    return date.fromisoformat(mondays.most_common(1)[0][0]) if mondays else None


def _is_over(answer: DecidedCommand) -> bool:
    """True if the time is in the past, as when a run is continued days later: that is not a failure."""
    return answer.refusal_reason == Reason.IN_THE_PAST


def _summary(answers: list[DecidedCommand]) -> str:
    booked = [answer for answer in answers if not _is_over(answer)]
    new = sum(not answer.replayed for answer in booked)
    over = len(answers) - len(booked)
    too_late = f", {over} too late to book" if over else ""
    slots = len(DOCTORS) * SLOTS_PER_DOCTOR
    return (
        f"{len(DOCTORS)} doctors, {len(PATIENTS)} patients, {slots} slots, "
        f"{len(booked)} appointments ({new} new{too_late})"
    )
