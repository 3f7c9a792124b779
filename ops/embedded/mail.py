"""The embedded stack's mail server and SMS gateway: sinks (`ops.mail`) in the data folder."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ops import probes
from ops.embedded.folder import DataFolder
from ops.embedded.process import Child
from ops.embedded.tls import Tls
from ops.mail.sinks import LOOPBACK


def prepare(folder: DataFolder, ports: Mapping[str, int], tls: Tls | None) -> Child:
    """The process of both sinks, not started yet."""
    smtp, sms = ports["smtp"], ports["sms"]
    command: list[str | Path] = [sys.executable, "-m", "ops.mail.sinks", folder.path, str(smtp), str(sms)]
    if tls:
        command.append(tls.certificate("mail"))
    probe = partial(probes.mail, LOOPBACK, smtp, sms, tls.ca_file if tls else None)
    return Child("mail", command, data_dir=folder.path, probe=probe)
