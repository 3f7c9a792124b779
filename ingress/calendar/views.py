"""Calendars of doctors, and previews of changes to them, as staff see them."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from pydantic import Field

from contracts.command_resource import RefusalBody
from ingress.availability.routes import SlotView
from ingress.booking.views import AppointmentView
from ingress.http.views import View, ZonedInstant


class CalendarAppointment(AppointmentView):
    """An appointment; `outside_hours` if it is no longer within the doctor's weekly hours."""

    outside_hours: bool


class TimeOffView(View):
    """A time when the doctor is unavailable."""

    id: UUID
    starts_at: ZonedInstant
    ends_at: ZonedInstant
    note: str | None


class CalendarView(View):
    """A doctor's calendar. `free` is time within the weekly hours without time off or appointments."""

    doctor_id: UUID
    time_zone: str
    appointments: list[CalendarAppointment]
    time_off: list[TimeOffView]
    free: list[SlotView]


class NamedCalendarView(CalendarView):
    """A doctor's calendar with the doctor's name."""

    name: str


class PreviewedAppointment(AppointmentView):
    """A booking outside of the new weekly hours; `already`: outside of those of today as well."""

    already: bool


class Preview(View):
    """Bookings that would no longer fit, by start; `items` are the first of the `total`.

    `refusal` is what the write would be refused for, as the book is now.
    """

    items: Sequence[AppointmentView]
    next_cursor: None = Field(default=None, description="always null: there is one page, of 200 at most")
    total: int
    refusal: RefusalBody | None


class TimeOffPreview(Preview):
    """The bookings that conflict with the time off."""

    items: list[AppointmentView]


class SchedulePreview(Preview):
    """The bookings outside of the new weekly hours."""

    items: list[PreviewedAppointment]


class CalendarList(View):
    """Calendars at one moment. `event_id`: the last event that they contain."""

    starts_on: date = Field(serialization_alias="from")
    ends_on: date = Field(serialization_alias="to")
    event_id: str
    items: list[NamedCalendarView]
    next_cursor: str | None
