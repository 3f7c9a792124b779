"""A letter as a text message: one line, and one message where that is possible."""

import re

from infra.profiles import E164
from notifier.content import times
from notifier.content.language import known, translation
from notifier.content.letters import Clinic, Kind, Letter
from notifier.content.text import line
from notifier.content.words import local, login_code, visit_of

SEPTETS_MAX = 160
# The default alphabet (3GPP TS 23.038, section 6.2.1) without its line breaks; the extension counts twice.
_BASIC = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")


def compose_sms(letter: Letter, clinic: Clinic) -> str:
    """The text. With the doctor's name where all of it then still is one message of 160 characters.

    Raises:
        ValueError: it can never be sent: there is no number that can be reached, a part is missing, or a
            text holds control characters.
    """
    if not re.fullmatch(E164, letter.recipient.phone or ""):
        raise ValueError("the phone is none that can be reached")
    _ = translation(known(letter.recipient.language))
    name = line(clinic.name, "the clinic's name").strip()
    if letter.kind is Kind.LOGIN_CODE:
        said = {"clinic": name, "code": login_code(letter)}
        return _("%(clinic)s: your login code is %(code)s. Tell it to nobody.") % said
    doctor = line(visit_of(letter).doctor_name, "the doctor's name")
    full = f"{name}: {_about(letter)}, {doctor}."
    return full if is_one_message(full) else f"{name}: {_about(letter)}."


def is_one_message(text: str) -> bool:
    """Whether it fits into one message of the default alphabet."""
    if not set(text) <= _BASIC | _EXTENDED:
        return False
    return sum(2 if character in _EXTENDED else 1 for character in text) <= SEPTETS_MAX


def _about(letter: Letter) -> str:
    language = known(letter.recipient.language)
    _ = translation(language)
    visit = visit_of(letter)
    starts = local(visit.starts_at, visit.time_zone)
    at = {
        "day": times.short_day(starts, language),
        "time": times.clock(starts),
        "zone": times.short_zone(starts, language),
    }
    match letter.kind:
        case Kind.CONFIRMATION:
            return _("your appointment is booked: %(day)s, %(time)s %(zone)s") % at
        case Kind.RESCHEDULE:
            return _("your appointment has been moved to %(day)s, %(time)s %(zone)s") % at
        case Kind.CANCELLATION:
            return _cancelled(letter, language) % at
        case _:
            return _("reminder of your appointment: %(day)s, %(time)s %(zone)s") % at


def _cancelled(letter: Letter, language: str) -> str:
    _ = translation(language)
    if letter.cancelled_by == "patient":
        return _("your appointment is cancelled, as you asked: %(day)s, %(time)s %(zone)s")
    return _("we had to cancel your appointment: %(day)s, %(time)s %(zone)s")
