"""A visit is named by the local time that was promised, also after a change of its zone's rules."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.promise import Promise
from notifier.content import Clinic, Kind, Visit, compose_sms
from tests.unit.notifier.content.writing import CLINIC, KEYS, mailed, notification, plain, visit

SEVEN = datetime(2026, 11, 30, 7, tzinfo=UTC)
LAGOS = Clinic(CLINIC.name, "Africa/Lagos", CLINIC.url, CLINIC.sender, KEYS)


def at(starts_at: datetime, promised_start: str | None, **fields: Any) -> Visit:
    return visit(
        starts_at, time_zone="Africa/Lagos", promise=Promise.read(promised_start, starts_at), **fields
    )


# The rules of today give Lagos +01:00.
BY_OLDER_RULES = at(SEVEN, "2026-11-30T09:00:00+02:00[Africa/Lagos]")
KEPT = at(SEVEN.replace(hour=8), "2026-11-30T09:00:00+01:00[Africa/Lagos]", version=2)


@pytest.mark.parametrize("kind", [Kind.CONFIRMATION, Kind.REMINDER])
def test_it_is_told_as_promised(kind: Kind) -> None:
    told = notification(kind, BY_OLDER_RULES)
    mail = mailed(told, LAGOS)

    assert mail["Subject"].endswith("Monday, 30 November 2026, 09:00")
    assert "Time: 09:00 to 09:30, UTC+02:00\n" in plain(mail)
    assert "Clinic time" not in plain(mail)
    assert "Mon 30 Nov 2026, 09:00 UTC+02:00" in compose_sms(told, LAGOS)


def test_without_a_promise_by_the_rules_of_today() -> None:
    mail = mailed(notification(Kind.CONFIRMATION, at(SEVEN, None)), LAGOS)

    assert "Time: 08:00 to 08:30, West Africa Standard Time (UTC+01:00)\n" in plain(mail)


def test_a_visit_that_keeps_its_local_time_says_why_it_moved() -> None:
    mail = mailed(notification(Kind.RESCHEDULE, KEPT, previous=BY_OLDER_RULES), LAGOS)
    german = mailed(notification(Kind.RESCHEDULE, KEPT, previous=BY_OLDER_RULES, language="de"), LAGOS)

    text = plain(mail)
    assert "Time: 09:00 to 09:30, West Africa Standard Time (UTC+01:00)\n" in text
    assert "Previously: Monday, 30 November 2026, 09:00 to 09:30, UTC+02:00\n" in text
    assert "The rules of the time zone have changed since you booked" in text
    assert "die Regeln der Zeitzone haben sich seit Ihrer Buchung geändert" in plain(german)


def test_any_other_move_does_not() -> None:
    later = at(SEVEN.replace(hour=9), "2026-11-30T10:00:00+01:00[Africa/Lagos]", version=2)
    other_doctor = at(
        SEVEN.replace(hour=8),
        "2026-11-30T09:00:00+01:00[Africa/Lagos]",
        version=2,
        doctor_name="Dr. Ines Aalto",
    )
    for moved in (later, other_doctor):
        text = plain(mailed(notification(Kind.RESCHEDULE, moved, previous=BY_OLDER_RULES), LAGOS))
        assert "Your appointment has been rescheduled.\n" in text
