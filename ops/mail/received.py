"""`clinic mail`: the messages that the sinks received."""

import email
import email.policy
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from rich.text import Text

from infra.errors import MisconfiguredError
from ops.console import console, table
from ops.mail import MAILS, TEXTS, number_of

READ = Path("mail") / "cur"  # where mail programs move what they have shown


@dataclass(frozen=True)
class SinkMessage:
    """A received message, for the list."""

    number: int
    channel: str
    received_at: str
    to: str
    subject: str


def list_received(data_dir: Path, last: int, as_json: bool) -> None:
    """Print the last messages, the latest at the end."""
    messages = [_received(path) for path in _kept(data_dir)[-last:]]
    if as_json:
        print(json.dumps([asdict(message) for message in messages], indent=2, ensure_ascii=False))
        return
    rows = table("N", "received", "by", "to", "subject")
    for message in messages:
        # Plain text, not markup: anybody may have written it.
        to, subject = (Text(" ".join(text.split())) for text in (message.to, message.subject))
        rows.add_row(str(message.number), message.received_at, message.channel, to, subject)
    console().print(rows)


def show(data_dir: Path, number: int, part: str | None) -> None:
    """Print a message as received, or one of its parts, decoded: `text`, `html`, `calendar`.

    Raises:
        MisconfiguredError: there is no such message, or no such part.
    """
    path = next((path for path in _kept(data_dir) if number_of(path) == number), None)
    if path is None:
        raise MisconfiguredError(f"There is no message {number}: see `clinic mail list`.")
    content = path.read_bytes()
    if part is None:
        print(content.decode(errors="replace"), end="")
        return
    kind = {"text": "text/plain", "html": "text/html", "calendar": "text/calendar"}[part]
    for piece in _parsed(content).walk():
        if piece.get_content_type() == kind:
            assert isinstance(piece, EmailMessage), "the policy creates these"
            print(piece.get_content(), end="")
            return
    raise MisconfiguredError(f"Message {number} has no {kind}.")


def _kept(data_dir: Path) -> list[Path]:
    folders = (data_dir / MAILS, data_dir / READ, data_dir / TEXTS)
    kept = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return sorted((path for path in kept if number_of(path)), key=number_of)


def _parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)


def _received(path: Path) -> SinkMessage:
    at = datetime.fromtimestamp(int(path.name.partition(".")[0]) / 1e9, UTC)
    received_at = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    if path.parent.name == TEXTS.name:
        message = json.loads(path.read_bytes())
        # As `sms_request` is by default.
        return SinkMessage(
            number_of(path), "sms", received_at, str(message.get("to", "")), str(message.get("text", ""))
        )
    mail = _parsed(path.read_bytes())
    return SinkMessage(number_of(path), "mail", received_at, str(mail["To"]), str(mail["Subject"]))
