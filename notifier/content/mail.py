"""A notification as a mail (RFC 5322, RFC 2045)."""

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from uuid import UUID

from notifier.content.forms import as_html, as_text
from notifier.content.headers import address_header, text_header, verbatim_header
from notifier.content.invitation import invitation, method_of
from notifier.content.notification import Clinic, Kind, Notification, confirmation_id
from notifier.content.text import single_line
from notifier.content.words import Words, unsubscribe_url, words
from storage import mail_address

# `=_` occurs in no encoded body (RFC 2045, section 6.7).
ALTERNATIVES, PARTS = "=_alternatives", "=_parts"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to be sent: the envelope's addresses, and the message with its line ends.

    All of it is ASCII, so that any server can take it; but for the recipient's address if `needs_smtputf8`.
    """

    sender: str
    recipient: str
    content: bytes

    @property
    def needs_smtputf8(self) -> bool:
        """Only a server with this extension (RFC 6531) can take it."""
        return not self.recipient.isascii()


def compose_mail(notification: Notification, clinic: Clinic) -> Mail:
    """The mail: text and HTML and, where a calendar has something to do, an invitation or a cancellation.

    Composed again it is the same to the byte.

    Raises:
        ValueError: it can never be sent: no address can be written to, a part is missing, or a text holds
            control characters.
    """
    said = words(notification, clinic)
    sender = mail_address.written(clinic.sender, smtputf8=False)
    recipient = mail_address.written(notification.recipient.email or "", smtputf8=True)
    lines = [
        *_headers(notification, clinic, said, sender, recipient),
        _body(notification, clinic, said),
    ]
    return Mail(sender, recipient, "\r\n".join(lines).encode("utf-8" if not recipient.isascii() else "ascii"))


def _headers(
    notification: Notification, clinic: Clinic, said: Words, sender: str, recipient: str
) -> Iterator[str]:
    domain = sender.rpartition("@")[2]
    name = single_line(notification.recipient.name or "", "the patient's name").strip()
    yield address_header("From", single_line(clinic.name, "the clinic's name").strip(), sender)
    yield address_header("To", name, recipient)
    yield text_header("Subject", said.subject)
    yield f"Date: {format_datetime(notification.created_at)}"
    yield verbatim_header("Message-ID", _message_id(notification.id, domain))
    if notification.visit is not None:
        first = confirmation_id(notification.visit.appointment_id)
        if first != notification.id:
            yield verbatim_header("In-Reply-To", _message_id(first, domain))
            yield verbatim_header("References", _message_id(first, domain))
    yield "Auto-Submitted: auto-generated"  # RFC 3834
    if notification.kind is Kind.REMINDER:
        yield verbatim_header("List-Unsubscribe", f"<{unsubscribe_url(notification, clinic)}>")
        yield "List-Unsubscribe-Post: List-Unsubscribe=One-Click"  # RFC 8058
    yield "MIME-Version: 1.0"
    yield f"Content-Language: {said.language}"


def _body(notification: Notification, clinic: Clinic, said: Words) -> str:
    alternatives = [_text_part("plain", as_text(said)), _text_part("html", as_html(said))]
    method = method_of(notification.kind)
    if method is None:
        return _multipart("alternative", ALTERNATIVES, alternatives)
    content = _base64(invitation(notification, clinic, method))
    # Gmail and Outlook act on the alternative, which has to be the last one; others only know attachments.
    alternatives.append(f"Content-Type: text/calendar; charset=utf-8; method={method}\r\n{content}")
    disposition = 'Content-Disposition: attachment; filename="invite.ics"'
    attachment = f"Content-Type: application/ics\r\n{disposition}\r\n{content}"
    return _multipart("mixed", PARTS, [_multipart("alternative", ALTERNATIVES, alternatives), attachment])


def _multipart(subtype: str, boundary: str, parts: Sequence[str]) -> str:
    content = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n{content}--{boundary}--\r\n'


def _text_part(subtype: str, text: str) -> str:
    content = b2a_qp(text.encode(), istext=True).decode("ascii").replace("\n", "\r\n")
    encoding = "Content-Transfer-Encoding: quoted-printable"
    return f"Content-Type: text/{subtype}; charset=utf-8\r\n{encoding}\r\n\r\n{content}"


def _base64(content: bytes) -> str:
    lines = encodebytes(content).decode("ascii").replace("\n", "\r\n")
    return f"Content-Transfer-Encoding: base64\r\n\r\n{lines}"


def _message_id(id_: UUID, domain: str) -> str:
    return f"<{id_}@{domain}>"
