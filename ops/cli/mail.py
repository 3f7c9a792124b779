"""`clinic mail`: what the local sinks received."""

from typing import Annotated, Literal

import typer

from ops.cli.options import DATA_DIR, LAST_MAX, AsJson, DataDir

mail = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@mail.command("list")
def list_(
    last: Annotated[int, typer.Option(metavar="N", help="the last so many", min=1, max=LAST_MAX)] = 50,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """List the mails and text messages, the latest at the end."""
    from ops.mail import list_received

    list_received(data, last, as_json)


@mail.command()
def show(
    number: Annotated[int, typer.Argument(metavar="N", min=1)],
    part: Annotated[
        Literal["text", "html", "calendar"] | None, typer.Option(help="this part alone, decoded")
    ] = None,
    data: DataDir = DATA_DIR,
) -> None:
    """Print a message as it came."""
    from ops.mail import show as print_message

    print_message(data, number, part)
