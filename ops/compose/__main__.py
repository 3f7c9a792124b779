"""`python3 -m ops.compose up|backup|restore|upgrade`: the clinic on one server.

Needs Docker, and no packages.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from ops.compose.backup import backup, restore
from ops.compose.docker import compose

# Of what `setup` does; an epoch of storage keys begins only when no ingress of the last release is left.
BESIDE_THE_LAST_RELEASE = "clinic migrate; clinic access; clinic topics"
# Readers before writers (docs/OPERATIONS.md).
UPGRADED = ("auditor", "notifier", "worker-1", "worker-2", "ingress-1", "ingress-2")


def up() -> None:
    """Build what is new, make missing secrets, start everything, and wait until it is well."""
    compose("up", "--detach", "--build", "--wait", "--remove-orphans")


def upgrade() -> None:
    """Replace each service by the new release, one after the other, while the others work.

    The servers and the proxy stay as they are. `up` replaces those, with an interruption.
    """
    compose("build")
    compose("run", "--rm", "secrets")
    compose("run", "--rm", "--no-deps", "--entrypoint", "sh", "setup", "-ec", BESIDE_THE_LAST_RELEASE)
    for service in UPGRADED:
        compose("up", "--detach", "--no-deps", "--wait", service)
    compose("run", "--rm", "--no-deps", "setup")


def main() -> None:
    """The command. Status 1, and a sentence, if Docker fails or a file is not as it has to be."""
    parser = argparse.ArgumentParser(prog="python3 -m ops.compose", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (up, upgrade):
        commands.add_parser(command.__name__, help=(command.__doc__ or "").partition("\n")[0])
    saved = commands.add_parser("backup", help=(backup.__doc__ or "").partition("\n")[0])
    saved.add_argument("folder", type=Path)
    back = commands.add_parser("restore", help=(restore.__doc__ or "").partition("\n")[0])
    back.add_argument("folder", type=Path)
    back.add_argument(
        "--with-log", action="store_true", help="the log, too: it is lost, or on another server"
    )
    arguments = parser.parse_args()
    try:
        if arguments.command == "backup":
            backup(arguments.folder)
        elif arguments.command == "restore":
            restore(arguments.folder, with_log=arguments.with_log)
        else:
            {"up": up, "upgrade": upgrade}[arguments.command]()
    except subprocess.CalledProcessError as error:
        sys.exit(f"docker {' '.join(error.cmd[1:])}: status {error.returncode}. The lines above say why.")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.")


if __name__ == "__main__":
    main()
