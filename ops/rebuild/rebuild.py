"""`clinic replay rebuild`: the book, the decisions and the position, folded from the events."""

import asyncio
import json
from dataclasses import asdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from infra.settings import Settings
from ops.connections import quiet
from ops.console import console, table
from ops.rebuild.fold_all import fold_all

COLUMNS = ("partition", "events", "position")
# The status of a program that SIGINT ended, as shells give it.
INTERRUPTED = 130


def rebuild(settings: Settings, as_json: bool) -> None:
    """Fold the events into fresh tables, put them in the place of the book's, and print the state.

    Raises:
        ClinicError: a worker is running, a server is unavailable, or events are missing.
    """
    quiet()
    screen = Console(stderr=True)  # progress is for people: the result may be piped
    bars = (BarColumn(), MofNCompleteColumn(), TextColumn("events, {task.speed:,.0f} per second"))
    with Progress(*bars, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        shown = bar.add_task("", total=None)
        try:
            rebuilt = asyncio.run(
                fold_all(settings, watch=lambda done, total: bar.update(shown, completed=done, total=total))
            )
        except KeyboardInterrupt:
            screen.print("Interrupted. The book is as it was.")
            raise SystemExit(INTERRUPTED) from None
    rate = round(rebuilt.folded / rebuilt.seconds)
    partitions = [(each.partition, each.events, each.next_offset) for each in rebuilt.partitions]
    if as_json:
        figures = {"folded": rebuilt.folded, "seconds": round(rebuilt.seconds, 3), "events_per_s": rate}
        listed = [dict(zip(COLUMNS, partition, strict=True)) for partition in partitions]
        result = {"state": asdict(rebuilt.state), "kept": rebuilt.kept, **figures, "partitions": listed}
        print(json.dumps(result, indent=2))
        return
    rows = table(*COLUMNS)
    for partition in partitions:
        rows.add_row(*(f"{number:,}" for number in partition))
    out = console()
    out.print(rows)
    out.print(f"{rebuilt.folded:,} events folded in {rebuilt.seconds:.1f} s, {rate:,} per second")
    out.print(f"state {rebuilt.state.hash}", soft_wrap=True)
    if rebuilt.kept:
        out.print(f"The tables as they were are kept in the schema {rebuilt.kept}, until you drop it.")
