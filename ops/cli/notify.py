"""`clinic notify`: letters that are planned, sent, or could not be."""

from typing import Annotated
from uuid import UUID

import typer

from ops.cli.options import DATA_DIR, LAST_MAX, AsJson, DataDir

notify = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

STATES = "planned, sending, sent, superseded, dropped, undeliverable"


@notify.command("list")
def list_(
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help=f"{STATES}; may be repeated")
    ] = None,
    last: Annotated[
        int, typer.Option(metavar="N", help="at most so many, the latest", min=1, max=LAST_MAX)
    ] = 50,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """List letters, the latest at the end; without --state those that are undeliverable.

    Status 1 if one that is listed is undeliverable.
    """
    import asyncio

    from infra.settings import Settings
    from ops.notify import list_letters

    if unknown := set(state or []) - set(STATES.split(", ")):
        raise typer.BadParameter(f"no such state: {', '.join(sorted(unknown))}", param_hint="--state")
    wanted = state or ["undeliverable"]
    fine = asyncio.run(list_letters(Settings.load(data), wanted, last, as_json))
    raise typer.Exit(0 if fine else 1)


@notify.command()
def show(id_: Annotated[UUID, typer.Argument(metavar="ID")], data: DataDir = DATA_DIR) -> None:
    """Print all that is kept about a letter, as JSON."""
    import asyncio

    from infra.settings import Settings
    from ops.notify import show_letter

    asyncio.run(show_letter(Settings.load(data), id_))


@notify.command()
def retry(
    ids: Annotated[list[UUID] | None, typer.Argument(metavar="[ID]...")] = None,
    all_: Annotated[bool, typer.Option("--all", help="every undeliverable letter")] = False,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Try undeliverable letters again, from now on as long as new ones.

    What nobody needs any more is not: a newer letter about the appointment exists, the visit is over, or the
    code has expired. Status 1 if one that was named cannot be tried again.
    """
    import asyncio

    from infra.settings import Settings
    from ops.notify import retry_letters

    if bool(ids) == all_:
        raise typer.BadParameter("name letters, or --all", param_hint="ID")
    fine = asyncio.run(retry_letters(Settings.load(data), ids, as_json))
    raise typer.Exit(0 if fine else 1)
