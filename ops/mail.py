"""`clinic mail`: what the sinks of the embedded stack received (`ops.embedded.mail`)."""

import email
import email.policy
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.errors import MisconfiguredError
from ops.embedded.mail import MAILS, TEXTS, number_of

READ = Path("mail") / "cur"  # where mail programs move what they have shown


@dataclass(frozen=True)
class Received:
    """A message, for the list."""

    number: int
    channel: str
    received_at: str
    to: str
    subject: str


def list_received(data_dir: Path, last: int, as_json: bool) -> None:
    """Print the last so many messages, the latest at the end."""
    messages = [_received(path) for path in _kept(data_dir)[-last:]]
    if as_json:
        print(json.dumps([asdict(message) for message in messages], indent=2, ensure_ascii=False))
        return
    table = Table("N", "received", "by", "to", "subject", box=None, pad_edge=False)
    for one in messages:
        # Not markup: it comes from anybody.
        table.add_row(str(one.number), one.received_at, one.channel, Text(one.to), Text(one.subject))
    Console().print(table)


def show(data_dir: Path, number: int, part: str | None) -> None:
    """Print a message as it came; or one of its parts, decoded: `text`, `html`, `calendar`.

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
            assert isinstance(piece, EmailMessage), "the policy makes these"
            print(piece.get_content(), end="")
            return
    raise MisconfiguredError(f"Message {number} has no {kind}.")


def _kept(data_dir: Path) -> list[Path]:
    folders = (data_dir / MAILS, data_dir / READ, data_dir / TEXTS)
    kept = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return sorted((path for path in kept if number_of(path)), key=number_of)


def _parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)


def _received(path: Path) -> Received:
    at = datetime.fromtimestamp(int(path.name.partition(".")[0]) / 1e9, UTC)
    received_at = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    if path.parent.name == TEXTS.name:
        message = json.loads(path.read_bytes())
        # As `sms_request` is by default.
        return Received(
            number_of(path), "sms", received_at, str(message.get("to", "")), str(message.get("text", ""))
        )
    mail = _parsed(path.read_bytes())
    return Received(number_of(path), "mail", received_at, str(mail["To"]), str(mail["Subject"]))
