"""`python -m benchmarks [--data DIR] [--seconds S] [--json] [--compare] [NAME …]`.

Ratios go to `benchmarks/RESULTS.md`, or with `--compare` are compared with those that it keeps.
"""

import argparse
import sys
from pathlib import Path

import uvloop

from benchmarks import report, results
from benchmarks.http import appointments, background, bookings, fixture, reads, storm
from benchmarks.services import audit, backlog, notify
from benchmarks.stack import running
from infra.errors import ClinicError
from infra.settings import DEFAULT_DATA_DIR, Settings

NAMES = ("bookings", "reads", "appointments", "storm", "backlog", "audit", "notify", "background")
OVER_HTTP = {
    "bookings": bookings.measure,
    "reads": reads.measure,
    "appointments": appointments.measure,
    "storm": storm.measure,
}


async def _measure(
    settings: Settings, data_dir: Path, names: list[str], seconds: float, commands: int
) -> list[report.Figure]:
    figures = []
    if over_http := [name for name in NAMES if name in names and name in OVER_HTTP]:
        _say("registering doctors and patients …")
        clinic = await fixture.set_up(settings, data_dir)
        for name in over_http:
            _say(f"{name} …")
            figures += await OVER_HTTP[name](clinic, seconds)
    if "backlog" in names:
        figures += await backlog.measure(settings, data_dir, _say, commands)
    if "audit" in names:
        figures += await audit.measure(settings, data_dir, _say)
    if "notify" in names:
        figures += await notify.measure(settings, data_dir, _say)
    if "background" in names:
        figures += await background.measure(_say, seconds)
    return figures


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print; status 1 and one sentence if there is nothing to measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; all by default")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA_DIR, help="its data folder")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each part over HTTP")
    parser.add_argument("--commands", type=int, default=backlog.COMMANDS, help="length of the backlog")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="name the ratios that fell by more than 20 %%; status 1 if any did",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    try:
        names = options.names or list(NAMES)
        settings = Settings.load(options.data) if names == ["background"] else running.find(options.data)
        figures = uvloop.run(_measure(settings, options.data, names, options.seconds, options.commands))
    except ClinicError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    (report.print_json if options.json else report.print_tables)(figures)
    if not options.compare:
        results.keep(figures)
    elif falls := results.falls(figures):
        sys.exit("Worse by more than 20 %:\n  " + "\n  ".join(falls))


if __name__ == "__main__":
    main()
