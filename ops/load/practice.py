"""Kinds of doctors for load tests and benchmarks, and their registration over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.jobs import all_of
from infra.kafka.partitioner import partition_of
from ops.commands import Sender

SEED = 1
VISIT_TYPE = "visit"
# Within every patient's limit and every doctor's horizon, so that nothing is refused.
POLICY: Mapping[str, int] = {
    "min_notice_minutes": 0,
    "horizon_days": 365,
    "change_notice_minutes": 0,
    "max_active_per_patient": 1_000,
}


@dataclass(frozen=True)
class Practice:
    """A kind of doctor: minutes of a visit and of the grid, hours (local, to the hour), weekdays (ISO)."""

    minutes: int
    openings: tuple[tuple[int, int], ...]
    weekdays: tuple[int, ...]
    days: int

    @property
    def visit_types(self) -> list[dict[str, Any]]:
        """For RegisterDoctor."""
        return [{"code": VISIT_TYPE, "name": "Visit", "minutes": self.minutes}]

    @property
    def policy(self) -> dict[str, int]:
        """For RegisterDoctor."""
        return {"slot_minutes": self.minutes, **POLICY}

    @property
    def hours(self) -> list[dict[str, Any]]:
        """For SetWeeklyHours."""
        return [
            {"weekday": weekday, "starts": f"{opens:02}:00", "ends": f"{closes:02}:00"}
            for weekday in self.weekdays
            for opens, closes in self.openings
        ]

    def starts(self, zone: ZoneInfo) -> list[datetime]:
        """All slots of `days` days from tomorrow, shuffled: bookings do not come in the order of visits."""
        today = clock.now().astimezone(zone).date()
        found = [
            datetime.combine(day, time(minute // 60, minute % 60), zone)
            for day in (today + timedelta(days=number) for number in range(1, self.days + 1))
            if day.isoweekday() in self.weekdays
            for opens, closes in self.openings
            for minute in range(60 * opens, 60 * closes, self.minutes)
        ]
        clock.repeatable(SEED).shuffle(found)
        return found


# As in a clinic: 28 slots per doctor and working day.
ORDINARY = Practice(minutes=15, openings=((9, 12), (13, 17)), weekdays=(1, 2, 3, 4, 5), days=84)


def doctor_ids(count: int) -> list[UUID]:
    """Random ids, spread evenly over the partitions, in turn."""
    wanted = -(-count // COMMANDS_TOPIC.partitions)
    by_partition: list[list[UUID]] = [[] for _ in range(COMMANDS_TOPIC.partitions)]
    while any(len(ids) < wanted for ids in by_partition):
        id_ = clock.new_id()
        by_partition[partition_of(str(id_).encode())].append(id_)
    return [ids[turn] for turn in range(wanted) for ids in by_partition][:count]


async def register_doctors(
    sender: Sender, name: str, practice: Practice, count: int, time_zone: str
) -> list[UUID]:
    """Doctors with hours, confirmed. `name` is part of their names, and of the idempotency keys.

    Raises:
        ClinicError: the clinic does not take them.
    """

    async def register(number: int, id_: UUID) -> UUID:
        key = f"{name}-{number}".replace(" ", "-")
        body = {
            "id": str(id_),
            "name": f"{name} {number}",
            "specialty": name,
            "time_zone": time_zone,
            "visit_types": practice.visit_types,
            "policy": practice.policy,
        }
        answer = await sender.send("POST", "/v1/doctors", key, body)
        answer.must_be_confirmed()
        hours = {"hours": practice.hours}
        answer = await sender.send("PUT", f"/v1/doctors/{id_}/schedule", f"{key}-hours", hours)
        answer.must_be_confirmed()
        return id_

    return await all_of(register(number, id_) for number, id_ in enumerate(doctor_ids(count), 1))


async def close_doctors(sender: Sender, name: str, practice: Practice, ids: Sequence[UUID]) -> None:
    """Cancel all that is booked with them, and make them inactive: their patients and pages are as before.

    Raises:
        ClinicError: the clinic does not take it.
    """
    now = clock.now()
    absence = {
        "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(days=practice.days + 2)).isoformat(),
        "cancel_conflicting": True,
    }

    async def close(number: int, id_: UUID) -> None:
        key = f"{name}-{number}-closed".replace(" ", "-")
        answer = await sender.send("POST", f"/v1/doctors/{id_}/time-off", f"{key}-absence", absence)
        answer.must_be_confirmed()
        answer = await sender.send("PATCH", f"/v1/doctors/{id_}", key, {"active": False})
        answer.must_be_confirmed()

    await all_of(close(number, id_) for number, id_ in enumerate(ids, 1))
