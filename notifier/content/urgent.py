"""The wording of what cannot wait: codes, and notices of what was done to an account."""

from collections.abc import Mapping

from notifier.content.language import translation
from notifier.content.notification import ACCOUNT_NOTICES, Kind


def words(kind: Kind, at: Mapping[str, str], language: str) -> tuple[str, str, list[str]]:
    """Subject, lead and notes. `at` has the `clinic`, and `day`, `time` and `zone` of the request."""
    match kind:
        case Kind.ADDRESS_CODE:
            return _address_code(at, language)
        case Kind.ADDRESS_CHANGED:
            return _address_changed(at, language)
        case _ if kind in ACCOUNT_NOTICES:
            return _account_notice(kind, at, language)
        case _:
            return _login(at, language)


def _login(at: Mapping[str, str], language: str) -> tuple[str, str, list[str]]:
    _ = translation(language)
    return (
        # Without the code: subjects appear on lock screens.
        _("Your login code for %(clinic)s") % at,
        _("Here is your code to log in to %(clinic)s. It works once and expires after 10 minutes.") % at,
        _about_code(at, language),
    )


def _address_code(at: Mapping[str, str], language: str) -> tuple[str, str, list[str]]:
    # Nothing that the patient has chosen: whoever reads this has not been proved to be them.
    _ = translation(language)
    lead = _(
        "Here is the code to confirm your new contact details for %(clinic)s. "
        "It works once and expires after 10 minutes."
    )
    return _("Your confirmation code for %(clinic)s") % at, lead % at, _about_code(at, language)


def _about_code(at: Mapping[str, str], language: str) -> list[str]:
    _ = translation(language)
    never_share = _(
        "Never share this code; we will never ask for it. "
        "If you did not request it, you can ignore this message."
    )
    return [_("This code was requested on %(day)s at %(time)s, %(zone)s.") % at, never_share]


def _address_changed(at: Mapping[str, str], language: str) -> tuple[str, str, list[str]]:
    _ = translation(language)
    lead = _("Your contact details at %(clinic)s were changed on %(day)s at %(time)s, %(zone)s.")
    notes = [
        _("If it was you, there is nothing to do."),
        _("If it was not you, undo the change by the link below, within 7 days. All logins end then."),
    ]
    return _("Your contact details at %(clinic)s have changed") % at, lead % at, notes


def _account_notice(kind: Kind, at: Mapping[str, str], language: str) -> tuple[str, str, list[str]]:
    # Without a link: it would be the one that a forged notice has.
    _ = translation(language)
    texts = {
        Kind.PASSKEY_ADDED: (
            _("A passkey was added to your account at %(clinic)s"),
            _(
                "A passkey was added to your account at %(clinic)s on %(day)s at %(time)s, %(zone)s. "
                "Whoever has it can log in as you."
            ),
            _("If it was not you, log in, remove the passkey, log out everywhere else, and call the clinic."),
        ),
        Kind.PASSKEY_REMOVED: (
            _("A passkey was removed from your account at %(clinic)s"),
            _(
                "A passkey was removed from your account at %(clinic)s on %(day)s at %(time)s, %(zone)s. "
                "Nobody can log in by it any more."
            ),
            _("If it was not you, log in, log out everywhere, and call the clinic."),
        ),
        Kind.CALENDAR_LINK_MADE: (
            _("A calendar link was made with your account at %(clinic)s"),
            _(
                "A calendar link was made with your account at %(clinic)s on %(day)s at %(time)s, %(zone)s. "
                "Whoever has it sees the times of appointments."
            ),
            _("If it was not you, log in, withdraw the link, log out everywhere, and call the clinic."),
        ),
    }
    subject, lead, otherwise = texts[kind]
    return subject % at, lead % at, [_("If it was you, there is nothing to do."), otherwise]
