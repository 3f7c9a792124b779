"""The embedded stack's mail server and SMS gateway: sinks (`ops.mail`) in the data folder."""

import sys
from collections.abc import Mapping
from functools import partial

from ops import probes
from ops.embedded.folder import DataFolder
from ops.embedded.process import Child
from ops.mail.sinks import LOOPBACK


def prepare(folder: DataFolder, ports: Mapping[str, int]) -> Child:
    """The process of both sinks, not started yet."""
    return Child(
        "mail",
        [sys.executable, "-m", "ops.mail.sinks", folder.path, str(ports["smtp"]), str(ports["sms"])],
        data_dir=folder.path,
        probe=partial(probes.mail, LOOPBACK, ports["smtp"], ports["sms"]),
    )
