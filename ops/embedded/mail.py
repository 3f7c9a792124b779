"""What the embedded stack has instead of a mail server and an SMS gateway: sinks that keep what they get.

Mails go to `mail/` in the data folder, a maildir that any mail program opens; text messages, JSON by POST, to
`sms/`, a file each. Files are named `<time in ns>.N<number>.sink`; the number counts both kinds. When there
are too many, the oldest are deleted. Nothing is sent anywhere. `ops.embedded.sinks` is the process.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ops import probes
from ops.embedded.folder import DataFolder
from ops.embedded.process import Child

HOST = "127.0.0.1"
MAILS, TEXTS = Path("mail") / "new", Path("sms")


def prepare(folder: DataFolder, ports: Mapping[str, int]) -> Child:
    """The process of both sinks, not started yet."""
    return Child(
        "mail",
        [sys.executable, "-m", "ops.embedded.sinks", folder.path, str(ports["smtp"]), str(ports["sms"])],
        data_dir=folder.path,
        probe=partial(probes.mail, HOST, ports["smtp"], ports["sms"]),
    )


def number_of(path: Path) -> int:
    """The number of a kept message; 0 for a file that is none."""
    digits = path.name.partition(".N")[2].partition(".")[0]
    return int(digits) if digits.isdigit() else 0
