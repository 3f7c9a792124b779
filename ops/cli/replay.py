"""`clinic replay`: the two replays."""

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir

replay = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@replay.command()
def rebuild(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Fold the events into a database that is empty or behind, and print the state's hash. With no worker."""
    from infra.settings import Settings
    from ops.replay.rebuild import rebuild as fold

    fold(Settings.load(data), as_json)


@replay.command()
def verify(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Decide every command again and compare with what was recorded; status 1 if something differs."""
    from infra.settings import Settings
    from ops.replay.verify import verify as check

    raise typer.Exit(0 if check(Settings.load(data), as_json) else 1)
