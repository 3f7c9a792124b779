"""A letter as a mail (RFC 5322, RFC 2045)."""

import itertools
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

from notifier.content import headers
from notifier.content.calendar import Method, invitation, method
from notifier.content.forms import as_html, as_text
from notifier.content.letters import Clinic, Kind, Letter
from notifier.content.text import line, mail_address
from notifier.content.words import Words, unsubscribe_url, words
from notifier.identity import confirmation_id

# The library's boundaries are random. `=_` stands in no encoded body (RFC 2045, section 6.7).
ALTERNATIVES, PARTS = "=_alternatives", "=_parts"


def compose_mail(letter: Letter, clinic: Clinic) -> EmailMessage:
    """The mail: text and HTML and, where a calendar has something to do, an invitation or a cancellation.

    Composed again it is the same to the byte. It is ASCII throughout, so that any server can take it.

    Raises:
        ValueError: it can never be sent: there is no address that can be written to, a part is missing, or
            a text holds control characters.
    """
    said = words(letter, clinic)
    message = EmailMessage(policy=headers.POLICY)
    _address(message, letter, clinic, said)
    message.set_content(as_text(said), cte="quoted-printable")
    message.make_alternative(boundary=ALTERNATIVES)
    message.add_alternative(as_html(said), subtype="html", cte="quoted-printable")
    what = method(letter.kind)
    if what is not None:
        _attach(message, invitation(letter, clinic, what), what)
    # Not before: what makes a message a multipart one takes `Content-…` along into the first part.
    message["Content-Language"] = said.language
    for part in itertools.islice(message.walk(), 1, None):
        del part["MIME-Version"]
    return message


def _address(message: EmailMessage, letter: Letter, clinic: Clinic, said: Words) -> None:
    recipient = letter.recipient
    sender, to = mail_address(clinic.sender), mail_address(recipient.email or "")
    name = line(recipient.name or "", "the patient's name").strip()
    domain = sender.rpartition("@")[2]
    message["From"] = headers.address(line(clinic.name, "the clinic's name").strip(), sender)
    message["To"] = headers.address(name, to)
    message["Subject"] = headers.subject(said.subject)
    message["Date"] = format_datetime(letter.created_at)
    message["Message-ID"] = _message_id(letter.id, domain)
    if letter.visit is not None:
        first = confirmation_id(letter.visit.appointment_id)
        if first != letter.id:
            message["In-Reply-To"] = message["References"] = _message_id(first, domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    if letter.kind is Kind.REMINDER:
        message["List-Unsubscribe"] = f"<{unsubscribe_url(letter, clinic)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058


def _message_id(id_: UUID, domain: str) -> str:
    return f"<{id_}@{domain}>"


def _attach(message: EmailMessage, calendar: bytes, what: Method) -> None:
    # Gmail and Outlook act on the alternative, which has to be the last one; others only know attachments.
    message.add_alternative(
        calendar.decode(),
        subtype="calendar",
        charset="utf-8",
        cte="base64",
        params={"method": what},
    )
    message.make_mixed(boundary=PARTS)
    message.add_attachment(calendar, maintype="application", subtype="ics", filename="invite.ics")
