"""`clinic access` and `clinic secrets`: the installation of servers that ask who it is."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import DATA_DIR, DataDir


def access(data: DataDir = DATA_DIR) -> None:
    """Give each service its password of Postgres, and its rights on Kafka. To be run after `migrate`."""
    from infra.settings import Settings
    from ops.access import grant
    from ops.connections import quiet

    quiet()
    print(*grant(Settings.load(data)), sep="\n")


def secrets(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    owner: Annotated[int | None, typer.Option(metavar="N", help="number of the services' account")] = None,
) -> None:
    """Make the passwords, keys and certificates for Docker Compose. Existing ones are left as they are."""
    from infra.settings import Settings
    from ops.compose.secrets import make_secrets

    changed = make_secrets(folder, Settings().url, owner)
    print(*(changed or ["nothing was missing"]), sep="\n")
