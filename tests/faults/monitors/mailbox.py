"""The mails that the machine's mail server has received, read as they arrive."""

import email
import email.policy
import hashlib
import json
import re
from email.message import Message
from pathlib import Path

from tests.faults.checker import Mail

CALENDAR = "text/calendar"
_FOLD = re.compile(r"\r?\n[ \t]")
# Changes of a doctor's specialty (`mix`): a mail that is sent again has the specialty of the moment.
_SPECIALTY = re.compile(rb"faults( \d)?")
_LINE = re.compile(r"^(METHOD|UID|SEQUENCE|DTSTAMP):(.*?)\r?$", re.MULTILINE)


class Mailbox:
    """Follows the file that the server writes, one mail a line."""

    def __init__(self, path: Path) -> None:
        self.mails: list[Mail] = []
        self._path = path
        self._read_bytes = 0

    def poll(self) -> list[Mail]:
        """New mails since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            content = file.read()
        # The last line may still be incomplete.
        whole = content[: content.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        new = [mail_of(json.loads(line)) for line in whole.splitlines()]
        self.mails += new
        return new


def mail_of(line: dict[str, str]) -> Mail:
    """A mail as the server recorded it, with the values of its calendar part, if it has one."""
    message = email.message_from_string(line["content"], policy=email.policy.compat32)
    said = calendar_lines(message)
    return Mail(
        id=line["id"],
        to=line["to"],
        digest=digest(message),
        at=float(line["at"]),
        method=said.get("METHOD"),
        appointment_id=said["UID"].partition("@")[0] if "UID" in said else None,
        version=int(said["SEQUENCE"]) if "SEQUENCE" in said else None,
    )


def digest(message: Message) -> str:
    """SHA-256 of a mail without the doctor's specialty: the same when a mail is sent again."""
    found = hashlib.sha256()
    for part in message.walk():
        found.update(str(part.items()).encode())
        if not part.is_multipart():
            found.update(_SPECIALTY.sub(b"", _content(part)))
    return found.hexdigest()


def calendar_lines(message: Message) -> dict[str, str]:
    """The first METHOD, UID and SEQUENCE of the calendar part (RFC 5545, unfolded)."""
    for part in message.walk():
        if part.get_content_type() == CALENDAR:
            return dict(reversed(_LINE.findall(_FOLD.sub("", _content(part).decode()))))
    return {}


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes), "a part that is no multipart has bytes"
    return payload
