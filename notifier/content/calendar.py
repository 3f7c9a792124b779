"""The calendar's part of a mail (RFC 5545, 5546, 6047): the entry of …/calendar.ics, as an invitation.

UID and SEQUENCE are the appointment's id and version, so that a calendar updates the entry it has.
"""

from datetime import timedelta
from functools import cache
from typing import Literal

from icalendar import Alarm, Calendar, Event, vCalAddress, vText, vUri

from infra.calendar_entries import calendar_times, calendar_uid, calendar_zone_text
from notifier.content.language import known, translation
from notifier.content.letters import Clinic, Kind, Letter
from notifier.content.text import line, mail_address
from notifier.content.words import appointment_url, visit_of, zone_of

Method = Literal["REQUEST", "CANCEL"]
PRODUCT = "-//Clinic//Appointments 1.0//EN"
ALARM_BEFORE = timedelta(hours=1)
# Parameters have no escapes but those of RFC 6868, which not all calendars know; some unescape a backslash.
IN_PARAMETERS = str.maketrans({'"': "'", "\\": "/"})


def method(kind: Kind) -> Method | None:
    """What a calendar should do (RFC 5546, section 1.4); None: the letter has no part for it."""
    match kind:
        case Kind.CONFIRMATION | Kind.RESCHEDULE:
            return "REQUEST"
        case Kind.CANCELLATION:
            return "CANCEL"
        case _:
            return None


def invitation(letter: Letter, clinic: Clinic, method: Method) -> bytes:
    """A VCALENDAR with one VEVENT, in the doctor's local time where that is clear, and its VTIMEZONE."""
    visit = visit_of(letter)
    zone = zone_of(visit.time_zone)
    starts, ends = calendar_times(visit.starts_at, visit.ends_at, zone)
    event = Event()
    event.add("uid", calendar_uid(visit.appointment_id))
    event.add("sequence", visit.version)
    event.add("dtstamp", letter.created_at)
    event.add("dtstart", starts)
    event.add("dtend", ends)
    doctor = line(visit.doctor_name, "the doctor's name")
    summary = f"{line(visit.visit_type_name, 'the visit type')}, {doctor}"
    event.add("summary", summary)
    event.add("location", clinic.name)
    event.add("url", vUri(appointment_url(visit, clinic)))
    event.add("organizer", _person(clinic.name, clinic.sender))
    event.add("attendee", _attendee(letter))
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if method == "CANCEL" else "OPAQUE")
    if method == "REQUEST":
        event.add_component(_alarm(letter, summary))
    # Put together as text: the zone and what is around are the same in thousands of letters.
    begin, end = _around(method)
    return b"".join((begin, calendar_zone_text(zone, visit.starts_at), event.to_ical(), end))


@cache
def _around(method: Method) -> tuple[bytes, bytes]:
    """What stands before and after the parts of a VCALENDAR."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    begin, end, rest = calendar.to_ical().partition(b"END:VCALENDAR")
    return begin, end + rest


def _alarm(letter: Letter, summary: str) -> Alarm:
    _ = translation(known(letter.recipient.language))
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -ALARM_BEFORE)
    alarm.add("description", _("In an hour: %(visit)s") % {"visit": summary})
    return alarm


def _attendee(letter: Letter) -> vCalAddress:
    # Accepted already, and no answer is asked for: the appointment stands.
    recipient = letter.recipient
    person = _person(line(recipient.name or "", "the patient's name").strip(), recipient.email or "")
    for name, value in (
        *(("CUTYPE", "INDIVIDUAL"), ("ROLE", "REQ-PARTICIPANT")),
        *(("PARTSTAT", "ACCEPTED"), ("RSVP", "FALSE")),
    ):
        person.params[name] = vText(value)
    return person


def _person(name: str, address: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{mail_address(address)}")
    if name:
        person.params["CN"] = vText(name.translate(IN_PARAMETERS))
    return person
