"""`clinic dlq`: dead letters."""

from typing import Annotated

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir

dlq = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Partition = Annotated[int, typer.Argument(metavar="PARTITION", min=0)]
Offset = Annotated[int, typer.Argument(metavar="OFFSET", min=0)]


@dlq.command("list")
def list_all(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """List the dead letters: where they are, why, where from, and what became of them."""
    from infra.settings import Settings
    from ops.showing_dead_letters import show_all

    show_all(Settings.load(data), as_json)


@dlq.command()
def show(partition: Partition, offset: Offset, data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show one with its headers and its value; in hexadecimal what is no text."""
    from infra.settings import Settings
    from ops.showing_dead_letters import show_one

    show_one(Settings.load(data), partition, offset, as_json)


@dlq.command()
def redrive(
    partition: Annotated[int | None, typer.Argument(min=0)] = None,
    offset: Annotated[int | None, typer.Argument(min=0)] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Send one, or all, to be decided after a fix; twice does nothing twice. Status 1 if one is still bad."""
    from infra.settings import Settings
    from ops.showing_dead_letters import redrive as send_again

    if everything is not (partition is None and offset is None) or (partition is None) is not (
        offset is None
    ):
        raise typer.BadParameter("Give a PARTITION and an OFFSET, or --all.")
    one = None if partition is None or offset is None else (partition, offset)
    raise typer.Exit(0 if send_again(Settings.load(data), one, as_json) else 1)
