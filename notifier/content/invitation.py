"""The calendar's part of a mail (RFC 5546, RFC 6047): the entry of …/calendar.ics, as an invitation."""

from collections.abc import Iterator
from typing import Literal

from infra.ical.entry import CalendarEntry, calendar_text, escaped, person
from notifier.content.language import known, translation
from notifier.content.notification import Clinic, Kind, Notification
from notifier.content.text import single_line
from notifier.content.words import visit_of, zone_of
from storage import mail_address

Method = Literal["REQUEST", "CANCEL"]
ALARM_BEFORE = "-PT1H"
# Accepted already, and no answer is asked for: the appointment stands.
ATTENDANCE = ";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE"


def method_of(kind: Kind) -> Method | None:
    """What a calendar should do (RFC 5546, section 1.4); None: the notification has no part for it."""
    match kind:
        case Kind.CONFIRMATION | Kind.RESCHEDULE:
            return "REQUEST"
        case Kind.CANCELLATION:
            return "CANCEL"
        case _:
            return None


def invitation(notification: Notification, clinic: Clinic, method: Method) -> bytes:
    """A VCALENDAR with one VEVENT, in the doctor's local time where that is clear, and its VTIMEZONE.

    Raises:
        ValueError: a text holds control characters, or an address cannot be written to.
    """
    visit = visit_of(notification)
    doctor = single_line(visit.doctor_name, "the doctor's name")
    entry = CalendarEntry(
        appointment_id=visit.appointment_id,
        version=visit.version,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        zone=zone_of(visit.time_zone),
        summary=f"{single_line(visit.visit_type_name, 'the visit type')}, {doctor}",
        clinic=clinic.name,
        organizer=mail_address.written(clinic.sender, smtputf8=False),
        stamped_at=notification.created_at,
    )
    return calendar_text(entry, method, _more(notification, entry.summary, method))


def _more(notification: Notification, summary: str, method: Method) -> Iterator[str]:
    recipient = notification.recipient
    name = single_line(recipient.name or "", "the patient's name").strip()
    address = mail_address.written(recipient.email or "", smtputf8=True)
    yield f"ATTENDEE{person(name, address, ATTENDANCE)}"
    if method == "REQUEST":
        _ = translation(known(recipient.language))
        description = _("In one hour: %(visit)s") % {"visit": summary}
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"TRIGGER:{ALARM_BEFORE}"
        yield f"DESCRIPTION:{escaped(description)}"
        yield "END:VALARM"
