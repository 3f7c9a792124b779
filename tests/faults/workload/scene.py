"""A run's doctors and the times requested of them: few, so that many requests collide."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from aiokafka.partitioner import DefaultPartitioner

from contracts.topics import COMMANDS_TOPIC

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")
CODES = ("checkup", "long")
DAYS_AHEAD = (1, 2, 3)
# Local time of the usual hours; visits are requested on the half hour.
OPENS, CLOSES = "09:00", "13:00"
HALF_HOURS = [time(9 + number // 2, 30 * (number % 2)) for number in range(8)]
# With these doctors visits begin at any minute of day and night, so that some begin during the run.
WALK_IN_SHARE = 6
WALK_IN_TYPES = [
    {"code": "checkup", "name": "Look", "minutes": 1},
    {"code": "long", "name": "Longer look", "minutes": 2, "buffer_after_minutes": 1},
]
BUFFERS = (0, 5, 10, 15)


@dataclass(frozen=True)
class Ask:
    """A request. A write gets a key; `actor` is `staff` or a patient's id."""

    method: str
    path: str
    actor: str
    body: Any = None


@dataclass(frozen=True)
class SceneDoctor:
    """A doctor as first registered."""

    id: str
    zone: str
    walk_in: bool
    registration: dict[str, Any]
    hours: list[dict[str, Any]]


class Scene:
    """Doctors over many partitions. The seed determines everything except the day."""

    def __init__(self, seed: int, doctors: int) -> None:
        chance = random.Random(f"{seed} scene")
        self.today = datetime.now(UTC).date()
        self.staff_id = _new_id(chance)
        self.doctors = [
            _doctor(number, id_, chance) for number, id_ in enumerate(_ids_over_partitions(chance, doctors))
        ]

    def dates(self) -> tuple[date, date]:
        """The first and the last requested day; the last is in the future in every zone."""
        return self.today + timedelta(days=DAYS_AHEAD[0]), self.today + timedelta(days=DAYS_AHEAD[-1])

    def start(self, chance: random.Random, doctor: SceneDoctor) -> str:
        """A start time to request."""
        if doctor.walk_in:
            soon = datetime.now(UTC).replace(second=0, microsecond=0)
            return (soon + timedelta(minutes=chance.randint(1, 3))).isoformat()
        if chance.random() < 0.08:
            return self._odd_start(chance, doctor)
        return self._local(chance.choice(DAYS_AHEAD), chance.choice(HALF_HOURS), doctor)

    def time_off(self, chance: random.Random, doctor: SceneDoctor) -> dict[str, str]:
        """Time off: an hour of the usual hours."""
        starts = datetime.fromisoformat(
            self._local(chance.choice(DAYS_AHEAD), chance.choice(HALF_HOURS), doctor)
        )
        ends = starts + timedelta(minutes=60)
        return {"starts_at": starts.isoformat(), "ends_at": ends.isoformat()}

    def _odd_start(self, chance: random.Random, doctor: SceneDoctor) -> str:
        now = datetime.now(UTC).replace(microsecond=0)
        match chance.randrange(5):
            case 0:
                return self._local(1, time(9, 7), doctor)
            case 1:
                return self._local(2, time(20), doctor)
            case 2:
                return (now - timedelta(minutes=1)).isoformat()
            case 3:
                return (now + timedelta(minutes=59)).isoformat()
        return self._local(120, time(10), doctor)

    def _local(self, days: int, wall: time, doctor: SceneDoctor) -> str:
        day = self.today + timedelta(days=days)
        return datetime.combine(day, wall, ZoneInfo(doctor.zone)).isoformat()


def visit_types(chance: random.Random, walk_in: bool) -> list[dict[str, Any]]:
    """Two kinds of visit with buffers."""
    if walk_in:
        return WALK_IN_TYPES
    return [
        {
            "code": code,
            "name": code,
            "minutes": minutes,
            "buffer_before_minutes": chance.choice(BUFFERS),
            "buffer_after_minutes": chance.choice(BUFFERS),
        }
        for code, minutes in zip(CODES, (30, 45), strict=True)
    ]


def weekly(*openings: tuple[str, str]) -> list[dict[str, Any]]:
    """The same hours every day."""
    return [
        {"weekday": weekday, "starts": starts, "ends": ends}
        for weekday in range(1, 8)
        for starts, ends in openings
    ]


def _doctor(number: int, id_: str, chance: random.Random) -> SceneDoctor:
    walk_in = number % WALK_IN_SHARE == WALK_IN_SHARE - 1
    policy = {"min_notice_minutes": 60, "max_active_per_patient": 3 + number % 3}
    if walk_in:
        policy = {"slot_minutes": 1, "min_notice_minutes": 0, "change_notice_minutes": 0}
        policy |= {"max_active_per_patient": 50}
    registration = {
        "id": id_,
        "name": f"Dr. Fault {number}",
        "specialty": "faults",
        "time_zone": ZONES[number % len(ZONES)],
        "visit_types": visit_types(chance, walk_in),
        "policy": policy,
    }
    hours = weekly(("00:00", "23:59")) if walk_in else weekly((OPENS, CLOSES))
    return SceneDoctor(id_, ZONES[number % len(ZONES)], walk_in, registration, hours)


def partition_of(key: bytes) -> int:
    """The partition of a key, by aiokafka's own partitioner and not by the product's."""
    numbers = list(range(COMMANDS_TOPIC.partitions))
    return int(DefaultPartitioner()(key, numbers, numbers))


def _ids_over_partitions(chance: random.Random, count: int) -> list[str]:
    """Ids whose commands are spread over as many partitions as possible."""
    found: dict[int, list[str]] = {number: [] for number in range(COMMANDS_TOPIC.partitions)}
    share = -(-count // len(found))
    while sum(map(len, found.values())) < count:
        id_ = _new_id(chance)
        ids = found[partition_of(id_.encode())]
        if len(ids) < share:
            ids.append(id_)
    return [id_ for ids in found.values() for id_ in ids]


def _new_id(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def picked(chance: random.Random, choices: Sequence[Any]) -> Any:
    """One of the choices; None if there are none. Takes exactly one random number either way."""
    number = chance.random()
    return choices[int(number * len(choices))] if choices else None
