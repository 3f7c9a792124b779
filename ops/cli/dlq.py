"""`clinic dlq`: the dead letters."""

from typing import Annotated

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir, command_group

dlq = command_group()

Partition = Annotated[int, typer.Argument(metavar="PARTITION", min=0)]
Offset = Annotated[int, typer.Argument(metavar="OFFSET", min=0)]


@dlq.command("list")
def list_all(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """List the dead letters: position, reason, source, and whether they were redriven."""
    from infra.settings import Settings
    from ops.dlq.view import show_all

    show_all(Settings.load(data), as_json)


@dlq.command()
def show(partition: Partition, offset: Offset, data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show one dead letter with its headers and value; non-text values as hex."""
    from infra.settings import Settings
    from ops.dlq.view import show_dead_letter

    show_dead_letter(Settings.load(data), partition, offset, as_json)


@dlq.command()
def redrive(
    partition: Annotated[int | None, typer.Argument(min=0)] = None,
    offset: Annotated[int | None, typer.Argument(min=0)] = None,
    everything: Annotated[bool, typer.Option("--all", help="all dead letters")] = False,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Redrive one or all dead letters. Idempotent. Exit status 1 if any still cannot be processed."""
    from infra.settings import Settings
    from ops.dlq.view import redrive as send_again

    if everything is not (partition is None and offset is None) or (partition is None) is not (
        offset is None
    ):
        raise typer.BadParameter("Give a PARTITION and an OFFSET, or --all.")
    position = None if partition is None or offset is None else (partition, offset)
    raise typer.Exit(0 if send_again(Settings.load(data), position, as_json) else 1)
