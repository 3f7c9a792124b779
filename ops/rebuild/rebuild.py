"""`clinic replay rebuild`: the book, the decisions and the position, folded from the events."""

import asyncio
import json
from dataclasses import asdict, astuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from infra.settings import Settings
from ops.connections import quiet
from ops.console import console, table
from ops.rebuild.fold_all import fold_all
from ops.rebuild.fresh_schema import BEFORE

# The status of a program that SIGINT ended, as shells give it.
INTERRUPTED = 130


def rebuild(settings: Settings, as_json: bool) -> None:
    """Fold the events into fresh tables, put them in the place of the book's, and print the state.

    Raises:
        ClinicError: a worker is running, a server is unavailable, or events are missing.
    """
    quiet()
    screen = Console(stderr=True)  # progress is for people: the result may be piped
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("events, {task.speed:,.0f} per second"))
    with Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        shown = bar.add_task("", total=None)
        try:
            rebuilt = asyncio.run(
                fold_all(settings, watch=lambda done, total: bar.update(shown, completed=done, total=total))
            )
        except KeyboardInterrupt:
            screen.print("Interrupted. The book is as it was.")
            raise SystemExit(INTERRUPTED) from None
    rate = round(rebuilt.folded / rebuilt.seconds)
    if as_json:
        figures = {"folded": rebuilt.folded, "seconds": round(rebuilt.seconds, 3), "events_per_s": rate}
        partitions = [asdict(partition) for partition in rebuilt.partitions]
        print(json.dumps({"state": asdict(rebuilt.state), **figures, "partitions": partitions}, indent=2))
        return
    rows = table("partition", "events", "position")
    for partition in rebuilt.partitions:
        rows.add_row(*(f"{number:,}" for number in astuple(partition)))
    out = console()
    out.print(rows)
    out.print(f"{rebuilt.folded:,} events folded in {rebuilt.seconds:.1f} s, {rate:,} per second")
    out.print(f"state {rebuilt.state.hash}", soft_wrap=True)
    out.print(
        f"The tables as they were are in the schema {BEFORE}, until the next rebuild or until you drop it."
    )
