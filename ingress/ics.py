"""An appointment as a calendar entry (iCalendar, RFC 5545), the same entry through every change.

The UID is the appointment's, SEQUENCE is its version: a calendar that has the entry updates it.
"""

from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from infra.calendar_entries import calendar_times, calendar_uid, calendar_zone
from scheduling.state import Appointment, Doctor, Status

PRODUCT = "-//Clinic//Appointments 1.0//EN"


def method(appointment: Appointment) -> str:
    """What a calendar should do with the entry (RFC 5546, section 1.4)."""
    return "CANCEL" if appointment.status is Status.CANCELLED else "PUBLISH"


def calendar_entry(appointment: Appointment, doctor: Doctor, zone: ZoneInfo) -> bytes:
    """A VCALENDAR with one VEVENT, in local time where that is clear, and the VTIMEZONE it needs."""
    visit_type = doctor.visit_type(appointment.visit_type)
    starts, ends = calendar_times(appointment.visit.starts, appointment.visit.ends, zone)
    event = Event()
    event.add("uid", calendar_uid(appointment.id))
    event.add("sequence", appointment.version)
    event.add("dtstamp", appointment.booked_at)
    event.add("dtstart", starts)
    event.add("dtend", ends)
    event.add("summary", f"{visit_type.name if visit_type else appointment.visit_type}, {doctor.name}")
    event.add("status", "CANCELLED" if appointment.status is Status.CANCELLED else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if appointment.status is Status.CANCELLED else "OPAQUE")
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method(appointment))
    calendar.add_component(calendar_zone(zone, appointment.visit.starts))
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content
