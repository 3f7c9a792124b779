"""A notification as a text message: one line, and one message where that is possible."""

import re

from notifier.content import times
from notifier.content.language import known, translation
from notifier.content.notification import ACCOUNT_NOTICES, Clinic, Kind, Notification
from notifier.content.text import single_line
from notifier.content.words import code_of, local_to, undo_url, visit_of
from storage.profiles import E164

SEPTETS_MAX = 160
# The default alphabet (3GPP TS 23.038, section 6.2.1) without its line breaks; the extension counts twice.
_BASIC = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")


def compose_sms(notification: Notification, clinic: Clinic) -> str:
    """The text. With the doctor's name where all of it then still is one message of 160 characters.

    Raises:
        ValueError: it can never be sent: no number can be reached, a part is missing, or a
            text holds control characters.
    """
    if not re.fullmatch(E164, notification.recipient.phone or ""):
        raise ValueError("the phone number is not one that can be reached")
    _ = translation(known(notification.recipient.language))
    name = single_line(clinic.name, "the clinic's name").strip()
    if notification.kind is Kind.LOGIN_CODE:
        values = {"clinic": name, "code": code_of(notification)}
        return _("%(clinic)s: your login code is %(code)s. Do not share it.") % values
    if notification.kind is Kind.ADDRESS_CODE:
        values = {"clinic": name, "code": code_of(notification)}
        return _("%(clinic)s: your confirmation code is %(code)s. Do not share it.") % values
    if notification.kind is Kind.ADDRESS_CHANGED:
        values = {"clinic": name, "link": undo_url(notification, clinic)}
        return _("%(clinic)s: your contact details have changed. If it was not you: %(link)s") % values
    if notification.kind in ACCOUNT_NOTICES:
        texts = {
            Kind.PASSKEY_ADDED: _(
                "%(clinic)s: a passkey was added to your account. If it was not you, call us."
            ),
            Kind.PASSKEY_REMOVED: _(
                "%(clinic)s: a passkey was removed from your account. If it was not you, call us."
            ),
            Kind.CALENDAR_LINK_MADE: _(
                "%(clinic)s: a calendar link was made with your account. If it was not you, call us."
            ),
        }
        return texts[notification.kind] % {"clinic": name}
    doctor = single_line(visit_of(notification).doctor_name, "the doctor's name")
    full = f"{name}: {_about(notification)}, {doctor}."
    return full if is_one_message(full) else f"{name}: {_about(notification)}."


def is_one_message(text: str) -> bool:
    """True if it fits into one message of the default alphabet."""
    if not set(text) <= _BASIC | _EXTENDED:
        return False
    return sum(2 if character in _EXTENDED else 1 for character in text) <= SEPTETS_MAX


def _about(notification: Notification) -> str:
    language = known(notification.recipient.language)
    _ = translation(language)
    visit = visit_of(notification)
    starts = local_to(visit, visit.starts_at, visit.time_zone)
    at = {
        "day": times.short_day(starts, language),
        "time": times.clock(starts),
        "zone": times.short_zone(starts, language),
    }
    match notification.kind:
        case Kind.CONFIRMATION:
            return _("your appointment is confirmed for %(day)s, %(time)s %(zone)s") % at
        case Kind.RESCHEDULE:
            return _("your appointment has been rescheduled to %(day)s, %(time)s %(zone)s") % at
        case Kind.CANCELLATION:
            return _cancelled(notification, language) % at
        case _:
            return _("reminder of your appointment on %(day)s, %(time)s %(zone)s") % at


def _cancelled(notification: Notification, language: str) -> str:
    _ = translation(language)
    if notification.cancelled_by == "patient":
        return _("your appointment has been cancelled, as you requested: %(day)s, %(time)s %(zone)s")
    return _("we had to cancel your appointment on %(day)s, %(time)s %(zone)s")
