"""What a mail says, before it has a form. Text and HTML are two forms of the same words."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifier.content import times
from notifier.content.language import known, translation
from notifier.content.letters import Clinic, Kind, Letter, Visit
from notifier.content.text import line


@dataclass(frozen=True, slots=True)
class Link:
    """Something to open."""

    label: str
    url: str


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
    link: Link | None
    footer: list[str]
    unsubscribe: Link | None


def words(letter: Letter, clinic: Clinic) -> Words:
    """What the letter says in a mail.

    Raises:
        ValueError: a part is missing, or holds what no letter may hold.
    """
    language = known(letter.recipient.language)
    _ = translation(language)
    name = line(letter.recipient.name or "", "the patient's name").strip()
    is_login = letter.kind is Kind.LOGIN_CODE
    subject, lead, notes = _login(letter, clinic, language) if is_login else _about(letter, language)
    return Words(
        language=language,
        clinic=clinic.name,
        subject=subject,
        greeting=_("Hello %(name)s,") % {"name": name} if name else _("Hello,"),
        lead=lead,
        code=login_code(letter) if is_login else None,
        facts=[] if is_login else _facts(letter, clinic, language),
        notes=notes,
        link=None if is_login else _link(letter, clinic, language),
        footer=[clinic.name, clinic.url, _("This mail was sent automatically.")],
        unsubscribe=_unsubscribe(letter, clinic, language) if letter.kind is Kind.REMINDER else None,
    )


def visit_of(letter: Letter) -> Visit:
    """The visit. Raises ValueError: the letter has none."""
    if letter.visit is None:
        raise ValueError("the letter is about no visit")
    return letter.visit


def login_code(letter: Letter) -> str:
    """The code. Raises ValueError: the letter has none."""
    code = letter.code or ""
    if not (code.isascii() and code.isdigit()):
        raise ValueError("the letter has no code")
    return code


def local(instant: datetime, zone: str) -> datetime:
    """The instant on the wall's clock. Raises ValueError: there is no such zone."""
    return instant.astimezone(zone_of(zone))


def zone_of(name: str) -> ZoneInfo:
    """The zone. Raises ValueError: there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("the doctor's time zone is none") from None


def appointment_url(visit: Visit, clinic: Clinic) -> str:
    """Where the appointment is to be seen, moved and cancelled."""
    return f"{clinic.url.rstrip('/')}/v1/appointments/{visit.appointment_id}"


def unsubscribe_url(letter: Letter, clinic: Clinic) -> str:
    """The link that ends the patient's reminders, without a login."""
    token = clinic.keys.sign_unsubscribe(letter.recipient.patient_id)
    return f"{clinic.url.rstrip('/')}/v1/unsubscribe/{token}"


def _login(letter: Letter, clinic: Clinic, language: str) -> tuple[str, str, list[str]]:
    _ = translation(language)
    asked = local(letter.created_at, clinic.time_zone)
    at = {
        "clinic": clinic.name,
        "day": times.day(asked, language),
        "time": times.clock(asked),
        "zone": times.zone(asked, language),
    }
    return (
        # Not the code: subjects are shown where others look.
        _("Your login code for %(clinic)s") % at,
        _("this is your code to log in to %(clinic)s. It works once, and for 10 minutes at most.") % at,
        [
            _("The code was asked for on %(day)s, %(time)s, %(zone)s.") % at,
            _("Tell the code to nobody: the clinic never asks for it. If it was not you, do nothing."),
        ],
    )


def _about(letter: Letter, language: str) -> tuple[str, str, list[str]]:
    _ = translation(language)
    visit = visit_of(letter)
    starts = local(visit.starts_at, visit.time_zone)
    at = {"day": times.day(starts, language), "time": times.clock(starts)}
    to_change = _("To move or cancel the appointment, log in and open it.")
    match letter.kind:
        case Kind.CONFIRMATION:
            subject, lead = _("Your appointment on %(day)s, %(time)s"), _("your appointment is booked.")
            return subject % at, lead, [to_change]
        case Kind.RESCHEDULE:
            subject = _("Moved: your appointment is now on %(day)s, %(time)s")
            return subject % at, _("your appointment has been moved."), [to_change]
        case Kind.CANCELLATION:
            lead, note = _cancelled(letter.cancelled_by, language)
            return _("Cancelled: your appointment on %(day)s, %(time)s") % at, lead, [note]
        case _:
            subject = _("Reminder: your appointment on %(day)s, %(time)s")
            return subject % at, _("this is to remind you of your appointment."), [to_change]


def _cancelled(by: str | None, language: str) -> tuple[str, str]:
    _ = translation(language)
    again = _("You are welcome to book another time.")
    match by:
        case "patient":
            return _("your appointment is cancelled, as you asked."), again
        case "staff":
            return _("your appointment has been cancelled by our staff."), again
        case _:
            lead = _("unfortunately we had to cancel your appointment: the doctor is not there at that time.")
            return lead, _("Please book another time. We are sorry for the trouble.")


def _facts(letter: Letter, clinic: Clinic, language: str) -> list[tuple[str, str]]:
    _ = translation(language)
    visit = visit_of(letter)
    starts, here = local(visit.starts_at, visit.time_zone), local(visit.starts_at, clinic.time_zone)
    facts = [
        (_("When"), times.day(starts, language)),
        (_("Time"), f"{_hours(visit, visit.time_zone, language)}, {_zone(visit, visit.time_zone, language)}"),
    ]
    if here.utcoffset() != starts.utcoffset():
        there = f"{_span(visit, clinic.time_zone, language)}, {_zone(visit, clinic.time_zone, language)}"
        facts.append((_("In the clinic’s time"), there))
    if letter.kind is Kind.RESCHEDULE:
        facts.append((_("Before"), _before(letter, visit, language)))
    facts += [(_("Doctor"), _doctor(visit)), (_("Visit"), line(visit.visit_type_name, "the visit type"))]
    return facts


def _before(letter: Letter, visit: Visit, language: str) -> str:
    previous = letter.previous
    if previous is None:
        raise ValueError("the letter does not know what was before")
    parts = [_span(previous, previous.time_zone, language)]
    was = _zone(previous, previous.time_zone, language)
    if was != _zone(visit, visit.time_zone, language):
        parts.append(was)
    if _doctor(previous) != _doctor(visit):
        parts.append(_doctor(previous))
    if previous.visit_type_name != visit.visit_type_name:
        parts.append(line(previous.visit_type_name, "the visit type"))
    return ", ".join(parts)


def _doctor(visit: Visit) -> str:
    return f"{line(visit.doctor_name, 'the doctor’s name')}, {line(visit.specialty, 'the specialty')}"


def _span(visit: Visit, zone: str, language: str) -> str:
    return f"{times.day(local(visit.starts_at, zone), language)}, {_hours(visit, zone, language)}"


def _hours(visit: Visit, zone: str, language: str) -> str:
    _ = translation(language)
    starts, ends = local(visit.starts_at, zone), local(visit.ends_at, zone)
    at = {"from": times.clock(starts), "end_day": times.day(ends, language), "until": times.clock(ends)}
    if starts.date() == ends.date():
        return _("%(from)s to %(until)s") % at
    return _("%(from)s to %(end_day)s, %(until)s") % at


def _zone(visit: Visit, zone: str, language: str) -> str:
    """Both where the clocks are changed during the visit, which may end before it starts by them."""
    at = local(visit.starts_at, zone), local(visit.ends_at, zone)
    return " → ".join(dict.fromkeys(times.zone(one, language) for one in at))


def _link(letter: Letter, clinic: Clinic, language: str) -> Link:
    _ = translation(language)
    if letter.kind is Kind.CANCELLATION:
        return Link(_("Find another time"), f"{clinic.url.rstrip('/')}/v1/doctors")
    return Link(_("Open the appointment"), appointment_url(visit_of(letter), clinic))


def _unsubscribe(letter: Letter, clinic: Clinic, language: str) -> Link:
    _ = translation(language)
    return Link(_("No more reminders"), unsubscribe_url(letter, clinic))
