"""The plan of `clinic seed clinic`: what a clinic of 50 doctors does in a quarter. Pure, and always the same.

Mornings are busier than afternoons, and the next weeks busier than those after them. Days count from the
plan's first Monday, times are local.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cached_property
from random import Random

from infra import clock
from storage.profiles import Language, Profile

GRID_MINUTES = 10
SEED = 2026

# Specialty, how many of the doctors have it, and its visit types with their share of the visits.
SPECIALTIES = (
    ("General practice", 20, (("checkup", "Check-up", 10, 7), ("consultation", "Long consultation", 20, 3))),
    ("Paediatrics", 8, (("checkup", "Check-up", 20, 6), ("vaccination", "Vaccination", 10, 4))),
    ("Dermatology", 6, (("screening", "Skin screening", 10, 7), ("treatment", "Treatment", 30, 3))),
    ("Gynaecology", 5, (("checkup", "Check-up", 20, 6), ("ultrasound", "Ultrasound", 20, 4))),
    ("Cardiology", 4, (("checkup", "Check-up with ECG", 20, 7), ("stress-test", "Stress test", 40, 3))),
    ("Orthopaedics", 4, (("consultation", "Consultation", 10, 7), ("injection", "Injection", 20, 3))),
    ("Neurology", 3, (("consultation", "Consultation", 20, 8), ("first-visit", "First visit", 50, 2))),
)
GIVEN_NAMES = (
    "Hanna", "Milan", "Leila", "Oskar", "Priya", "Jonas", "Elif", "Marta", "Samuel", "Ines", "Tobias",
    "Nadia", "Viktor", "Carla", "Felix", "Amara", "Stefan", "Ruth", "Hugo", "Mei", "Paul", "Greta", "Anton",
    "Sofia", "Björn",
)  # fmt: skip
FAMILY_NAMES = (
    "Weiss", "Novak", "Haddad", "Lindqvist", "Raman", "Keller", "Yilmaz", "Okafor", "Mendes", "Brandt",
    "Huber", "Sand", "Martin", "Costa", "Vogt", "Petrova", "Byrne", "Schulz", "Berg", "Dvorak", "Richter",
    "Fontana", "Aziz", "Nyman", "Lang", "Öztürk", "Fischer", "Moreau", "Silva", "Kowalska",
)  # fmt: skip
# Hours by weekday (ISO 8601, 1 is Monday), to the full hour.
WORKING_WEEKS = (
    {1: ((8, 12), (13, 17)), 2: ((8, 12), (13, 17)), 3: ((8, 12),), 4: ((8, 12), (13, 18)), 5: ((8, 13),)},
    {1: ((7, 13),), 2: ((7, 13),), 3: ((7, 13),), 4: ((7, 13), (14, 17)), 5: ((7, 12),)},
    {1: ((8, 13),), 2: ((8, 12), (14, 19)), 3: ((8, 12), (13, 17)), 4: ((8, 13),), 5: ((8, 12), (13, 15))},
    {1: ((9, 12), (13, 18)), 2: ((9, 12), (13, 18)), 4: ((9, 12), (13, 19)), 5: ((9, 14),)},
    {1: ((12, 19),), 2: ((12, 19),), 3: ((8, 12), (13, 17)), 4: ((12, 19),), 5: ((8, 14),)},
)
MORNING_UNTIL_HOUR = 11
# The share of the time that is booked: in the first week, and how much less in each further week.
BOOKED_SHARE_MORNING, BOOKED_SHARE_LATER, BOOKED_LESS_EACH_WEEK = 0.97, 0.86, 0.018
CANCELLED_SHARE = 0.04
FIRST_BIRTH_DATE, BIRTH_DAYS = date(1934, 1, 1), 33_000
NO_SHOW_SHARE = 0.05


@dataclass(frozen=True)
class PlannedVisit:
    """A visit: numbers of the patient and the doctor from 0, the day, and the local time.

    `cancelled`: it is cancelled again. `no_show`: nobody comes.
    """

    number: int
    doctor: int
    patient: int
    day: int
    starts: time
    visit_type: str
    cancelled: bool
    no_show: bool


@dataclass(frozen=True)
class PlannedDoctor:
    """A doctor with one of `WORKING_WEEKS`, and the days of absence: first and last, both included."""

    number: int
    name: str
    specialty: str
    visit_types: tuple[tuple[str, str, int, int], ...]
    week: dict[int, tuple[tuple[int, int], ...]]
    absences: tuple[tuple[int, int], ...]

    def is_absent(self, day: int) -> bool:
        """Whether the day is one of absence."""
        return any(first <= day <= last for first, last in self.absences)


@dataclass(frozen=True)
class Quarter:
    """The whole plan. Tests make it smaller."""

    doctors_count: int = 50
    patients_count: int = 20_000
    weeks: int = 13

    @cached_property
    def doctors(self) -> list[PlannedDoctor]:
        """The doctors, with the specialties of `SPECIALTIES` from the first on."""
        chance = clock.repeatable(SEED)
        kinds = [(name, visit_types) for name, count, visit_types in SPECIALTIES for _ in range(count)]
        return [
            PlannedDoctor(
                number,
                f"Dr. {chance.choice(GIVEN_NAMES)} {FAMILY_NAMES[number % len(FAMILY_NAMES)]}",
                *kinds[number],
                chance.choice(WORKING_WEEKS),
                tuple(_absences(chance, self.weeks)),
            )
            for number in range(self.doctors_count)
        ]

    @cached_property
    def visits(self) -> list[PlannedVisit]:
        """The visits, about 60,000 in a whole quarter, doctor by doctor. No patient has two on one day."""
        chance = clock.repeatable(SEED + 1)
        seen: set[tuple[int, int]] = set()
        found: list[PlannedVisit] = []
        for doctor in self.doctors:
            for day, starts, visit_type in _times(doctor, self.weeks, chance):
                patient = chance.randrange(self.patients_count)
                while (patient, day) in seen:
                    patient = chance.randrange(self.patients_count)
                seen.add((patient, day))
                luck = chance.random()
                cancelled = luck < CANCELLED_SHARE
                no_show = not cancelled and luck < CANCELLED_SHARE + NO_SHOW_SHARE
                visit = PlannedVisit(
                    len(found), doctor.number, patient, day, starts, visit_type, cancelled, no_show
                )
                found.append(visit)
        return found


def profile(patient: int, language: Language) -> Profile:
    """A patient, with a mail address in a domain that delivers to nobody (RFC 2606)."""
    family, given = divmod(patient, len(GIVEN_NAMES))
    name = f"{GIVEN_NAMES[given]} {FAMILY_NAMES[family % len(FAMILY_NAMES)]}"
    born = FIRST_BIRTH_DATE + timedelta(days=patient * 7_919 % BIRTH_DAYS)
    return Profile(f"patient-{patient:05}@example.com", name, birth_date=str(born), language=language)


def _absences(chance: Random, weeks: int) -> Iterator[tuple[int, int]]:
    # One or two weeks of holidays, and single days of training.
    monday = 7 * chance.randrange(weeks // 2, weeks)
    yield monday, monday + chance.choice((4, 4, 11))
    for _ in range(2):
        day = 7 * chance.randrange(weeks) + chance.randrange(5)
        yield day, day


def _times(doctor: PlannedDoctor, weeks: int, chance: Random) -> Iterator[tuple[int, time, str]]:
    codes = [code for code, *_ in doctor.visit_types]
    minutes = {code: length for code, _, length, _ in doctor.visit_types}
    weights = [weight for *_, weight in doctor.visit_types]
    for day in range(7 * weeks):
        if doctor.is_absent(day):
            continue
        for opens, closes in doctor.week.get(day % 7 + 1, ()):
            now = 60 * opens
            while now < 60 * closes:
                morning = now < 60 * MORNING_UNTIL_HOUR
                share = BOOKED_SHARE_MORNING if morning else BOOKED_SHARE_LATER
                [code] = chance.choices(codes, weights)
                if chance.random() > share - BOOKED_LESS_EACH_WEEK * (day // 7):
                    now += GRID_MINUTES
                elif now + minutes[code] <= 60 * closes:
                    yield day, time(now // 60, now % 60), code
                    now += minutes[code]
                else:
                    now += GRID_MINUTES
