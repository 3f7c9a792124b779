"""How commands are listed, and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

# `infra.settings.DEFAULT_DATA_DIR`; importing that takes longer than `clinic --help`. A test compares them.
DATA_DIR = Path(".clinic")

DataDir = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", help="data folder of the embedded stack", show_default=True),
]
# `ops.tokens.MINUTES_MAX`, likewise.
TOKEN_MINUTES_MAX = 15
Minutes = Annotated[int, typer.Option(metavar="N", help="validity in minutes", min=1, max=TOKEN_MINUTES_MAX)]
LAST_MAX = 1_000_000
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


class Group(TyperGroup):
    """Commands whose first sentences are listed whole, wrapped where the terminal is narrow."""

    def format_commands(self, ctx, formatter) -> None:  # type: ignore[no-untyped-def]
        """Write the list of commands. Typer's own cuts each line off."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1_000)) for name, command in commands if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def command_group(help_text: str | None = None) -> typer.Typer:
    """A group of commands. Failures show no local variables, as passwords are among them."""
    return typer.Typer(
        cls=Group,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
