"""The `clinic` command: a list of commands, each imported when it is called.

Exit status: 0 fine, 1 a finding or a failure (one sentence on stderr), 2 misuse.
"""

import errno
import sys
from enum import StrEnum
from typing import Annotated

import typer

from infra.errors import ClinicError
from ops.cli.audit import audit
from ops.cli.dlq import dlq
from ops.cli.mail import mail
from ops.cli.notify import notify
from ops.cli.options import DATA_DIR, AsJson, DataDir
from ops.cli.replay import replay

app = typer.Typer(
    help="A clinic's appointment book, run as a log.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they show local variables, passwords among them
)

Hours = Annotated[int, typer.Option("--hours", metavar="N", help="how long it is valid", min=1, max=8760)]
# `ops.tokens.WORKING_DAY_HOURS`
WORKING_DAY_HOURS = 12

token = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(token, name="token", help="Print an access token, made with the clinic's signing key.")
app.add_typer(audit, name="audit", help="The audit trail: verify it, export it, sign it.")
app.add_typer(mail, name="mail", help="What the mail sink of the embedded stack received.")
app.add_typer(notify, name="notify", help="Letters to patients: planned, sent, undeliverable.")
app.add_typer(dlq, name="dlq", help="Dead letters: list them, look at one, send them again after a fix.")
app.add_typer(replay, name="replay", help="Rebuild the book from its events; verify it by deciding again.")
seed = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(seed, name="seed", help="Send data through the real commands.")


class Service(StrEnum):
    """The long-running processes."""

    INGRESS = "ingress"
    WORKER = "worker"
    AUDITOR = "auditor"
    NOTIFIER = "notifier"


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
    elif service is Service.AUDITOR:
        from auditor.main import main as serve
    elif service is Service.NOTIFIER:
        from notifier.main import main as serve
    else:
        from booking_worker.main import main as serve
    serve(settings)


@app.command()
def health(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show every part, its version and state; status 1 if one is down."""
    from ops.health import health as show

    raise typer.Exit(0 if show(data, as_json) else 1)


@app.command()
def lag(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show how far each service is behind the topics it follows."""
    from infra.settings import Settings
    from ops.lag import lag as show

    show(Settings.load(data), as_json)


@app.command()
def migrate(data: DataDir = DATA_DIR) -> None:
    """Bring the database schema up to date and print its revision."""
    from alembic.script import ScriptDirectory

    from infra.settings import Settings
    from ops.migrate import MIGRATIONS
    from ops.migrate import migrate as run_migrations

    run_migrations(Settings.load(data))
    print(ScriptDirectory(MIGRATIONS).get_current_head())


@app.command()
def topics(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Make the topics that are missing; status 1 if one is not what the contract says."""
    from infra.settings import Settings
    from ops.topics import topics as show

    raise typer.Exit(0 if show(Settings.load(data), as_json) else 1)


@token.command()
def staff(data: DataDir = DATA_DIR, hours: Hours = WORKING_DAY_HOURS) -> None:
    """Print an access token for the clinic's staff."""
    from infra.settings import Settings
    from ops.tokens import staff_token

    print(staff_token(Settings.load(data), hours))


@token.command()
def patient(email: str, data: DataDir = DATA_DIR, hours: Hours = WORKING_DAY_HOURS) -> None:
    """Print an access token for a patient; an unknown mail address becomes one."""
    import asyncio

    from infra.settings import Settings
    from ops.tokens import patient_token

    try:
        print(asyncio.run(patient_token(Settings.load(data), email, hours)))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="EMAIL") from None


@seed.command()
def demo(data: DataDir = DATA_DIR) -> None:
    """Send 5 doctors, 20 patients, 800 slots and 240 appointments; a second run changes nothing."""
    import asyncio

    from infra.settings import Settings
    from ops.seed import seed_demo

    asyncio.run(seed_demo(Settings.load(data)))


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
