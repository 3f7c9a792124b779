"""The `clinic` command: a list of commands, each imported when it is called.

Exit status: 0 fine, 1 a finding or a failure (one sentence on stderr), 2 misuse.
"""

import errno
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.errors import ClinicError

# `infra.settings.DEFAULT_DATA_DIR`; importing that takes longer than `clinic --help`. A test compares them.
DATA_DIR = Path(".clinic")

app = typer.Typer(
    help="A clinic's appointment book, run as a log.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

DataDir = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="data folder of the embedded stack", show_default=True)
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


class Service(StrEnum):
    """The long-running processes."""

    INGRESS = "ingress"
    WORKER = "worker"


@app.command()
def up(
    data: DataDir = DATA_DIR,
    port: Annotated[int, typer.Option(help="port of the HTTP interface", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="number of booking workers", min=1, max=12)] = 1,
    seed: Annotated[bool, typer.Option("--seed/--no-seed", help="demo data on the first start")] = True,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Run the embedded stack and all services in the foreground."""
    from ops.up import Options
    from ops.up import up as run_up

    run_up(Options(data, port, workers, seed, with_parent))


@app.command()
def run(service: Service, data: DataDir = DATA_DIR) -> None:
    """Run one service on the addresses in the settings."""
    from infra.settings import Settings

    settings = Settings.load(data)
    if service is Service.INGRESS:
        from ingress.main import main as serve
    else:
        from booking_worker.main import main as serve
    serve(settings)


@app.command()
def health(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show every part, its version and state; status 1 if one is down."""
    from ops.health import health as show

    raise typer.Exit(0 if show(data, as_json) else 1)


def main() -> None:
    """The console script. Known failures become one sentence."""
    try:
        app()
    except ClinicError as error:
        sys.exit(str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit("The disk is full.")
        raise


if __name__ == "__main__":
    main()
