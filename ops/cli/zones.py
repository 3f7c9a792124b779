"""`clinic zones`: visits after a change of a time zone's rules."""

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir, command_group

zones = command_group()


@zones.command()
def check(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """List booked visits whose local time is no longer the promised one. Exit status 1 if there are any."""
    from infra.settings import Settings
    from ops.zones.view import check as show

    raise typer.Exit(0 if show(Settings.load(data), as_json) else 1)


@zones.command()
def apply(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Move them to the promised local time; patients are told. Exit status 1 if one cannot be moved.

    Workers have to run. May be repeated: each visit moves once.
    """
    from infra.settings import Settings
    from ops.zones.view import apply as move

    raise typer.Exit(0 if move(Settings.load(data), as_json) else 1)
