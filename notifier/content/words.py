"""The wording of a mail, which its plain text and HTML parts share."""

from dataclasses import dataclass
from datetime import datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifier.content import times, urgent
from notifier.content.language import known, translation
from notifier.content.notification import ACCOUNT_NOTICES, Clinic, Kind, Notification, Visit
from notifier.content.text import single_line


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of a mail, from top to bottom. `facts` are pairs of a label and a value."""

    language: str
    clinic: str
    subject: str
    greeting: str
    lead: str
    code: str | None
    facts: list[tuple[str, str]]
    notes: list[str]
    page: tuple[str, str] | None
    """A label and a link: the page for whatever the patient may want to do next."""
    footer: list[str]
    unsubscribe: tuple[str, str] | None
    """A label and a link."""


def words(notification: Notification, clinic: Clinic) -> Words:
    """The words of a mail.

    Raises:
        ValueError: a part is missing or contains forbidden characters.
    """
    language = known(notification.recipient.language)
    _ = translation(language)
    name = single_line(notification.recipient.name or "", "the patient's name").strip()
    is_urgent = notification.kind.is_urgent
    has_code = notification.kind in (Kind.LOGIN_CODE, Kind.ADDRESS_CODE)
    is_about_login = has_code or notification.kind in ACCOUNT_NOTICES
    if is_urgent:
        subject, lead, notes = urgent.words(
            notification.kind, _moment(notification, clinic, language), language
        )
    else:
        subject, lead, notes = _about_appointment(notification, clinic, language)
    unsubscribe = None
    if notification.kind is Kind.REMINDER:
        unsubscribe = (_("Unsubscribe from reminders"), unsubscribe_url(notification, clinic))
    return Words(
        language=language,
        clinic=clinic.name,
        subject=subject,
        greeting=_("Hello %(name)s,") % {"name": name} if name else _("Hello,"),
        lead=lead,
        code=code_of(notification) if has_code else None,
        facts=[] if is_urgent else _facts(notification, clinic, language),
        notes=notes,
        # None in mails about logins: who asks for codes in the clinic's name sends links too.
        page=None if is_about_login else _page(notification, clinic, language),
        footer=[clinic.name, _("This is an automated message.")],
        unsubscribe=unsubscribe,
    )


def visit_of(notification: Notification) -> Visit:
    """The visit. Raises ValueError if there is none."""
    if notification.visit is None:
        raise ValueError("the notification is about no visit")
    return notification.visit


def code_of(notification: Notification) -> str:
    """The code. Raises ValueError if there is none."""
    code = notification.code or ""
    if not (code.isascii() and code.isdigit()):
        raise ValueError("the notification has no code")
    return code


def local(instant: datetime, zone: str) -> datetime:
    """The instant by the zone's clocks. Raises ValueError: there is no such zone."""
    return instant.astimezone(zone_of(zone))


def local_to(visit: Visit, instant: datetime, zone: str) -> datetime:
    """The instant by the zone's clocks; as it was promised where the rules of the visit's zone have changed.

    Raises ValueError: there is no such zone.
    """
    promise = visit.promise
    if promise is None or promise.time_zone != zone or promise.is_kept:
        return local(instant, zone)
    return instant.astimezone(timezone(promise.offset))


def zone_of(name: str) -> ZoneInfo:
    """The zone. Raises ValueError: there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("the doctor's time zone does not exist") from None


def unsubscribe_url(notification: Notification, clinic: Clinic) -> str:
    """The link that ends the patient's reminders, without a login."""
    token = clinic.keys.sign_unsubscribe(notification.recipient.patient_id)
    return f"{clinic.url.rstrip('/')}/v1/unsubscribe/{token}"


def _page(notification: Notification, clinic: Clinic, language: str) -> tuple[str, str]:
    _ = translation(language)
    if notification.kind is Kind.ADDRESS_CHANGED:
        return _("Undo the change"), undo_url(notification, clinic)
    known_language = language if language in clinic.languages else clinic.languages[0]
    pages = f"{clinic.url.rstrip('/')}/{known_language}"
    if notification.kind is Kind.CANCELLATION:
        return _("Book another appointment"), pages
    return _("Reschedule or cancel"), f"{pages}/appointments/{visit_of(notification).appointment_id}"


def undo_url(notification: Notification, clinic: Clinic) -> str:
    """The link that gives a patient the former address back, without a login.

    Raises ValueError: there is none.
    """
    if notification.undo is None:
        raise ValueError("the notification has no link")
    return f"{clinic.url.rstrip('/')}/v1/undo/{notification.undo}"


def _moment(notification: Notification, clinic: Clinic, language: str) -> dict[str, str]:
    at = local(notification.created_at, clinic.time_zone)
    return {
        "clinic": clinic.name,
        "day": times.day(at, language),
        "time": times.clock(at),
        "zone": times.zone(at, language),
    }


def _about_appointment(
    notification: Notification, clinic: Clinic, language: str
) -> tuple[str, str, list[str]]:
    _ = translation(language)
    visit = visit_of(notification)
    starts = local_to(visit, visit.starts_at, visit.time_zone)
    at = {"day": times.day(starts, language), "time": times.clock(starts)}
    match notification.kind:
        case Kind.CONFIRMATION:
            subject = _("Appointment confirmed: %(day)s, %(time)s")
            return subject % at, _("Your appointment is confirmed."), []
        case Kind.RESCHEDULE:
            subject = _("Appointment rescheduled: %(day)s, %(time)s")
            return subject % at, _rescheduled(visit, notification.previous, language), []
        case Kind.CANCELLATION:
            lead, notes = _cancelled(notification.cancelled_by, language)
            return _("Appointment cancelled: %(day)s, %(time)s") % at, lead, notes
        case _:
            subject = _("Reminder: your appointment on %(day)s, %(time)s")
            return subject % at, _("This is a reminder of your upcoming appointment."), []


def _rescheduled(visit: Visit, previous: Visit | None, language: str) -> str:
    _ = translation(language)
    if previous is not None and previous.promise is not None and not previous.promise.is_kept:
        before, now = (local_to(of, of.starts_at, of.time_zone) for of in (previous, visit))
        if before.replace(tzinfo=None) == now.replace(tzinfo=None) and _doctor(previous) == _doctor(visit):
            return _(
                "The rules of the time zone have changed since you booked: "
                "your appointment stays at the same local time."
            )
    return _("Your appointment has been rescheduled.")


def _cancelled(by: str | None, language: str) -> tuple[str, list[str]]:
    _ = translation(language)
    match by:
        case "patient":
            return _("Your appointment has been cancelled, as you requested."), []
        case "staff":
            return _("Your appointment has been cancelled by the clinic."), []
        case _:
            lead = _("We had to cancel your appointment: the doctor is unavailable at that time.")
            return lead, [_("We apologise for the inconvenience.")]


def _facts(notification: Notification, clinic: Clinic, language: str) -> list[tuple[str, str]]:
    _ = translation(language)
    visit = visit_of(notification)
    starts, at_clinic = (local_to(visit, visit.starts_at, at) for at in (visit.time_zone, clinic.time_zone))
    facts = [
        (_("Date"), times.day(starts, language)),
        (_("Time"), f"{_hours(visit, visit.time_zone, language)}, {_zone(visit, visit.time_zone, language)}"),
    ]
    if at_clinic.utcoffset() != starts.utcoffset():
        span = f"{_span(visit, clinic.time_zone, language)}, {_zone(visit, clinic.time_zone, language)}"
        facts.append((_("Clinic time"), span))
    if notification.kind is Kind.RESCHEDULE:
        facts.append((_("Previously"), _previously(notification, visit, language)))
    return [*facts, (_("Doctor"), _doctor(visit)), (_("Visit"), _visit_type(visit))]


def _previously(notification: Notification, visit: Visit, language: str) -> str:
    previous = notification.previous
    if previous is None:
        raise ValueError("the notification has no previous appointment")
    parts = [_span(previous, previous.time_zone, language)]
    zone = _zone(previous, previous.time_zone, language)
    if zone != _zone(visit, visit.time_zone, language):
        parts.append(zone)
    if _doctor(previous) != _doctor(visit):
        parts.append(_doctor(previous))
    if previous.visit_type_name != visit.visit_type_name:
        parts.append(_visit_type(previous))
    return ", ".join(parts)


def _doctor(visit: Visit) -> str:
    name = single_line(visit.doctor_name, "the doctor’s name")
    return f"{name}, {single_line(visit.specialty, 'the specialty')}"


def _visit_type(visit: Visit) -> str:
    return single_line(visit.visit_type_name, "the visit type")


def _span(visit: Visit, zone: str, language: str) -> str:
    return f"{times.day(local_to(visit, visit.starts_at, zone), language)}, {_hours(visit, zone, language)}"


def _hours(visit: Visit, zone: str, language: str) -> str:
    _ = translation(language)
    starts, ends = local_to(visit, visit.starts_at, zone), local_to(visit, visit.ends_at, zone)
    at = {"from": times.clock(starts), "until": times.clock(ends)}
    if starts.date() == ends.date():
        return _("%(from)s to %(until)s") % at
    return _("%(from)s to %(end_day)s, %(until)s") % (at | {"end_day": times.day(ends, language)})


def _zone(visit: Visit, zone: str, language: str) -> str:
    """Both zones if the clocks change during the visit, which then may seem to end before it starts."""
    at = local_to(visit, visit.starts_at, zone), local_to(visit, visit.ends_at, zone)
    return " → ".join(dict.fromkeys(times.zone(moment, language) for moment in at))
