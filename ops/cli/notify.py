"""`clinic notify`: notifications that are planned, sent or undeliverable."""

from typing import Annotated
from uuid import UUID

import typer

from ops.cli.options import DATA_DIR, LAST_MAX, AsJson, DataDir, command_group

notify = command_group()

STATES = "planned, sending, sent, superseded, dropped, undeliverable"


@notify.command("list")
def list_(
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help=f"{STATES}; may be repeated")
    ] = None,
    last: Annotated[
        int, typer.Option(metavar="N", help="show at most the latest N", min=1, max=LAST_MAX)
    ] = 50,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """List notifications, the latest last; without --state only undeliverable ones.

    Exit status 1 if a listed one is undeliverable.
    """
    import asyncio

    from infra.settings import Settings
    from ops.notify import list_notifications

    if unknown := set(state or []) - set(STATES.split(", ")):
        raise typer.BadParameter(f"no such state: {', '.join(sorted(unknown))}", param_hint="--state")
    wanted = state or ["undeliverable"]
    fine = asyncio.run(list_notifications(Settings.load(data), wanted, last, as_json))
    raise typer.Exit(0 if fine else 1)


@notify.command()
def show(id_: Annotated[UUID, typer.Argument(metavar="ID")], data: DataDir = DATA_DIR) -> None:
    """Print everything stored about a notification, as JSON."""
    import asyncio

    from infra.settings import Settings
    from ops.notify import show_notification

    asyncio.run(show_notification(Settings.load(data), id_))


@notify.command()
def retry(
    ids: Annotated[list[UUID] | None, typer.Argument(metavar="[ID]...")] = None,
    all_: Annotated[bool, typer.Option("--all", help="every undeliverable notification")] = False,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Try undeliverable notifications again, with a fresh deadline.

    Not if nobody needs it any more: the appointment has changed since, the visit is over, or the code has
    expired. Exit status 1 if one that was named cannot be tried again.
    """
    import asyncio

    from infra.settings import Settings
    from ops.notify import retry_notifications

    if bool(ids) == all_:
        raise typer.BadParameter("name notifications, or --all", param_hint="ID")
    fine = asyncio.run(retry_notifications(Settings.load(data), ids, as_json))
    raise typer.Exit(0 if fine else 1)
