"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

# `infra.settings.DEFAULT_DATA_DIR`; importing that takes longer than `clinic --help`. A test compares them.
DATA_DIR = Path(".clinic")

DataDir = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="data folder of the embedded stack", show_default=True)
]
LAST_MAX = 1_000_000
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
