"""The plan of a clinic's quarter: its promised size, and that it can be booked as it stands."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time
from itertools import pairwise
from uuid import UUID

import pytest

from contracts.commands import BookAppointment, VisitOutcome
from infra.keys import Keys
from ops.seed.quarter import Quarter
from ops.seed.quarter_commands import QuarterCommands


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    return Quarter()


def test_it_has_the_promised_size(quarter: Quarter) -> None:
    assert (len(quarter.doctors), quarter.patients_count, quarter.weeks) == (50, 20_000, 13)
    assert 58_000 <= len(quarter.visits) <= 64_000
    assert len({doctor.name for doctor in quarter.doctors}) == 50
    assert len({visit.patient for visit in quarter.visits}) > 0.9 * 20_000


def test_it_is_always_the_same(quarter: Quarter) -> None:
    again = Quarter()
    assert again.doctors == quarter.doctors
    assert again.visits == quarter.visits


def test_no_two_visits_are_in_each_others_way(quarter: Quarter) -> None:
    assert len({(visit.patient, visit.day) for visit in quarter.visits}) == len(quarter.visits)
    times = defaultdict(list)
    for visit in quarter.visits:
        doctor = quarter.doctors[visit.doctor]
        [minutes] = [minutes for code, _, minutes, _ in doctor.visit_types if code == visit.visit_type]
        assert not doctor.is_absent(visit.day)
        begins = 60 * visit.starts.hour + visit.starts.minute
        openings = doctor.week[visit.day % 7 + 1]
        times[visit.doctor].append((visit.day, begins, begins + minutes))
        assert any(60 * opens <= begins and begins + minutes <= 60 * closes for opens, closes in openings)
    for taken in times.values():
        assert all(
            earlier_day < day or ends <= begins
            for (earlier_day, _, ends), (day, begins, _) in pairwise(sorted(taken))
        )


def test_mornings_and_the_next_weeks_are_busier(quarter: Quarter) -> None:
    per_week = Counter(visit.day // 7 for visit in quarter.visits)
    assert per_week[0] > per_week[6] > per_week[12] > 0
    per_hour = Counter(visit.starts.hour for visit in quarter.visits)
    assert per_hour[9] > 1.5 * per_hour[15]


def test_some_are_cancelled_and_to_some_nobody_comes(quarter: Quarter) -> None:
    cancelled = sum(visit.cancelled for visit in quarter.visits) / len(quarter.visits)
    missed = sum(visit.no_show for visit in quarter.visits) / len(quarter.visits)
    assert 0.03 < cancelled < 0.05
    assert 0.04 < missed < 0.06
    assert not any(visit.cancelled and visit.no_show for visit in quarter.visits)


def test_what_became_of_visits_is_known_once_they_have_begun() -> None:
    quarter = Quarter(doctors_count=2, patients_count=80, weeks=2)
    patients = [UUID(int=number) for number in range(80)]
    plan = QuarterCommands(quarter, Keys(bytes(32)), "UTC", patients, date(2026, 1, 5))
    booked = {
        command.appointment_id: command for command in plan.all() if isinstance(command, BookAppointment)
    }

    assert not plan.outcomes(datetime.combine(date(2026, 1, 5), time(0), UTC))
    outcomes = plan.outcomes(datetime.combine(date(2026, 1, 7), time(0), UTC))
    begun = [visit for visit in quarter.visits if visit.day < 2 and not visit.cancelled]
    assert len(outcomes) == len(begun)
    assert all(booked[id_].doctor_id == command.doctor_id for id_, command in outcomes.items())
    missed = sum(command.outcome is VisitOutcome.NO_SHOW for command in outcomes.values())
    assert missed == sum(visit.no_show for visit in begun)
