"""`clinic replay`: rebuild the book from its events, or verify its decisions."""

from datetime import datetime
from typing import Annotated

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir, command_group

replay = command_group()


@replay.command()
def rebuild(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Make the book anew from its events, swap it in and print its hash. Stop all workers first."""
    from infra.settings import Settings
    from ops.rebuild.rebuild import rebuild as fold

    fold(Settings.load(data), as_json)


@replay.command()
def verify(
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="report only commands from then on, such as 2026-03-01T00:00:00+01:00",
        ),
    ] = None,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Decide every command again and compare. Exit status 1 if a recorded decision differs."""
    from infra.settings import Settings
    from ops.replay.verify import verify as check

    raise typer.Exit(0 if check(Settings.load(data), as_json, _instant(since)) else 1)


def _instant(text: str | None) -> datetime | None:
    """An instant that has passed, in RFC 3339, which has an offset."""
    from infra import clock

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(
            "an instant with its offset, such as 2026-03-01T00:00:00+01:00", param_hint="--since"
        )
    if found > clock.now():
        raise typer.BadParameter("nothing is verified: that time is still to come", param_hint="--since")
    return found
