"""`clinic mail`: messages received by the local sinks."""

from typing import Annotated, Literal

import typer

from ops.cli.options import DATA_DIR, LAST_MAX, AsJson, DataDir, command_group

mail = command_group()


@mail.command("list")
def list_(
    last: Annotated[int, typer.Option(metavar="N", help="show the latest N", min=1, max=LAST_MAX)] = 50,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """List mails and text messages, the latest last."""
    from ops.mail.received import list_received

    list_received(data, last, as_json)


@mail.command()
def show(
    number: Annotated[int, typer.Argument(metavar="N", min=1)],
    part: Annotated[
        Literal["text", "html", "calendar"] | None, typer.Option(help="print only this part, decoded")
    ] = None,
    data: DataDir = DATA_DIR,
) -> None:
    """Print a message as it was received."""
    from ops.mail.received import show as print_message

    print_message(data, number, part)
