"""Sinks for mails and text messages, which keep what they receive, and `clinic mail`, which shows it.

Mails go to `mail/` in a folder, a maildir that any mail program opens; text messages, JSON by POST, to
`sms/`, a file each. Files are named `<time in ns>.N<number>.sink`; the number counts both kinds. When there
are too many, the oldest are deleted. Nothing is sent anywhere. `ops.mail.sinks` is the process.
"""

from pathlib import Path

MAILS, TEXTS = Path("mail") / "new", Path("sms")


def number_of(path: Path) -> int:
    """The number in the name of a message's file; 0 for other files."""
    digits = path.name.partition(".N")[2].partition(".")[0]
    return int(digits) if digits.isdigit() else 0
