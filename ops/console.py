"""Tables on the terminal, as wide as it is; in a pipe, one row per line."""

import sys

from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 10_000


def console() -> Console:
    """Standard output. In a pipe no line is wrapped, so that grep and awk see whole rows."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def table(*columns: str) -> Table:
    """A table without borders."""
    return Table(*columns, box=None, pad_edge=False)
