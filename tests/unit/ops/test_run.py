"""Services start without what only their libraries would load."""

import subprocess
import sys

PROGRAM = """
import sys
from ops.cli.run import UNUSED, ServiceName, load
for service in ServiceName:
    load(service)
print([name for name in UNUSED if name in sys.modules])
import rich, opentelemetry.sdk.trace
"""


def test_services_load_none_of_it_and_find_it_later() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
