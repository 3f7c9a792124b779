"""Invitations and their updates (RFC 5546), parsed by a library."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from dateutil.tz import tzical  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as some

from infra.ical.entry import calendar_uid
from notifier.content import Kind, Notification
from tests.unit.notifier.content.writing import (
    APPOINTMENT,
    BERLIN,
    HALF_AN_HOUR,
    KATHMANDU,
    WRITTEN_AT,
    calendar,
    mailed,
    notification,
    part,
    visit,
)

ZONES = [
    BERLIN, KATHMANDU, "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Africa/Casablanca",
    "Pacific/Apia", "America/Santiago", "UTC", "America/St_Johns",
]  # fmt: skip
HOUR = timedelta(hours=1)


def read(sent: Notification) -> tuple[Any, Any]:
    return calendar(mailed(sent))


def shown(calendar: Any, event: Any, name: str) -> datetime:
    """The time as a calendar shows it that uses only the VTIMEZONE, parsed by another library than ours.

    A local time that occurs twice means the first (RFC 5545, section 3.3.5).
    """
    if "TZID" not in event[name].params:
        instant: datetime = event.decoded(name)
        return instant
    [zone] = calendar.walk("VTIMEZONE")
    known = tzical(io.StringIO(zone.to_ical().decode().replace("\r\n", "\n"))).get(event[name].params["TZID"])
    wall: datetime = event.decoded(name).replace(tzinfo=None, fold=0)
    return wall.replace(tzinfo=known).astimezone(UTC)


class TestAnInvitation:
    def test_is_the_last_alternative_and_a_file(self) -> None:
        mail = mailed(notification(Kind.CONFIRMATION))

        assert mail.get_content_type() == "multipart/mixed"
        [alternative, attachment] = mail.iter_parts()
        assert isinstance(alternative, type(mail))
        *_, invitation = alternative.iter_parts()
        assert invitation.get_content_type() == "text/calendar"
        assert invitation["Content-Type"].params == {"charset": "utf-8", "method": "REQUEST"}
        assert (attachment.get_content_type(), attachment.get_filename()) == ("application/ics", "invite.ics")
        content = attachment.get_payload(decode=True)
        assert content == invitation.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert all(len(line) <= 75 for line in content.split(b"\r\n"))
        assert b"\n" not in content.replace(b"\r\n", b"")

    def test_needs_no_answer(self) -> None:
        whole, event = read(notification(Kind.CONFIRMATION))

        assert (whole["METHOD"], whole["VERSION"]) == ("REQUEST", "2.0")
        assert event["UID"] == calendar_uid(APPOINTMENT), "the entry of …/calendar.ics"
        assert (event["SEQUENCE"], event["STATUS"], event["TRANSP"]) == (1, "CONFIRMED", "OPAQUE")
        assert event.decoded("DTSTAMP") == WRITTEN_AT
        assert event["ORGANIZER"] == "mailto:clinic@example.org"
        assert event["ORGANIZER"].params["CN"] == event["LOCATION"] == "Praxis am Park"
        attendee = event["ATTENDEE"]
        assert attendee == "mailto:ada.keller@example.com"
        assert attendee.params["CN"] == "Ada Keller"
        assert (attendee.params["PARTSTAT"], attendee.params["RSVP"]) == ("ACCEPTED", "FALSE")
        [alarm] = event.walk("VALARM")
        assert (alarm["ACTION"], alarm.decoded("TRIGGER")) == ("DISPLAY", -HOUR)
        assert alarm["DESCRIPTION"] == "In one hour: Check-up, Dr. Hanna Weiß"

    @pytest.mark.parametrize("kind", [Kind.REMINDER, Kind.LOGIN_CODE])
    def test_is_in_no_other_notification(self, kind: Kind) -> None:
        mail = mailed(notification(kind))

        assert part(mail, "text/calendar") is part(mail, "application/ics") is None

    def test_is_updated_by_every_change(self) -> None:
        days = [datetime(2026, 3, 27, 9, tzinfo=UTC) + timedelta(days=number) for number in range(3)]
        visits = [
            visit(days[0], 1),
            visit(days[1], 2, doctor_name="Dr. Two"),
            visit(days[2], 3, time_zone=KATHMANDU),
            visit(days[2], 4, time_zone=KATHMANDU),
        ]
        notifications = [
            notification(Kind.CONFIRMATION, visits[0]),
            notification(Kind.RESCHEDULE, visits[1], previous=visits[0]),
            notification(Kind.RESCHEDULE, visits[2], previous=visits[1]),
            notification(Kind.CANCELLATION, visits[3]),
        ]

        read_in_turn = [read(sent) for sent in notifications]

        events = [event for _, event in read_in_turn]
        assert [whole["METHOD"] for whole, _ in read_in_turn] == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]
        assert len({event["UID"] for event in events}) == 1
        assert [event["SEQUENCE"] for event in events] == [1, 2, 3, 4]
        assert len({(event["ORGANIZER"], event["ATTENDEE"]) for event in events}) == 1
        for (whole, event), shown_visit in zip(read_in_turn, visits, strict=True):
            assert event.decoded("DTSTART") == shown(whole, event, "DTSTART") == shown_visit.starts_at
            assert event.decoded("DTEND") == shown(whole, event, "DTEND") == shown_visit.ends_at
        assert [str(event.decoded("DTSTART"))[11:16] for event in events] == [
            "10:00",
            "10:00",
            "14:45",
            "14:45",
        ]
        assert events[1]["SUMMARY"] == "Check-up, Dr. Two"
        assert (events[3]["STATUS"], events[3]["TRANSP"]) == ("CANCELLED", "TRANSPARENT")
        assert not events[3].walk("VALARM")

    def test_another_appointment_is_another_entry(self) -> None:
        assert calendar_uid(UUID(int=1)) != calendar_uid(UUID(int=2))


class TestTimes:
    @pytest.mark.parametrize("zone", ZONES)
    def test_are_right_on_both_sides_of_every_change_of_clocks(self, zone: str) -> None:
        local = ZoneInfo(zone)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        changes = []
        while at < datetime(2027, 1, 1, tzinfo=UTC):
            if at.astimezone(local).utcoffset() != (at + HOUR).astimezone(local).utcoffset():
                changes.append(at + HOUR)
            at += HOUR
        around = [change + number * HOUR for change in changes for number in (-24, -2, -0.25, 0, 0.5, 1, 24)]
        for starts_at in around or [datetime(2026, 6, 1, 9, tzinfo=UTC)]:
            whole, event = read(notification(Kind.CONFIRMATION, visit(starts_at, time_zone=zone)))

            wall, until = starts_at.astimezone(local), (starts_at + HALF_AN_HOUR).astimezone(local)
            assert shown(whole, event, "DTSTART") == starts_at, f"{wall} in {zone}"
            assert shown(whole, event, "DTEND") == starts_at + HALF_AN_HOUR
            if zone != "UTC" and not wall.fold and not until.fold:
                assert event["DTSTART"].params["TZID"] == event["DTEND"].params["TZID"] == zone
                assert event.decoded("DTSTART").replace(tzinfo=None) == wall.replace(tzinfo=None)

    @settings(max_examples=40, deadline=None)
    @given(
        starts_at=some.integers(0, 10 * 365 * 24).map(
            lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + hours * HOUR
        ),
        zone=some.sampled_from([zone for zone in ZONES if zone != "UTC"]),
    )
    def test_are_right_at_any_time_anywhere(self, starts_at: datetime, zone: str) -> None:
        whole, event = read(notification(Kind.CONFIRMATION, visit(starts_at, time_zone=zone)))

        assert shown(whole, event, "DTSTART") == starts_at
