"""The sums of docs/CAPACITY.md follow from the figures that were measured."""

import math
import re
from decimal import Decimal
from pathlib import Path

TEXT = (Path(__file__).parents[3] / "docs" / "CAPACITY.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", TEXT, re.MULTILINE))
YEARS, CLINICS, CELL = 7, 1_000, 50
COMMANDS_A_YEAR = 50 * 20 * 250 * 13 // 10


def figure(label: str) -> float:
    """The first number of a row."""
    [cell] = [value for name, value in ROWS.items() if name == label or name.startswith(f"{label} ")]
    return float(cell.replace(",", "").split()[0])


def kept(*labels: str) -> float:
    return sum(map(figure, labels))


POSTGRES = kept(
    "`booking.events`",
    "`booking.appointments`, two",
    "`booking.decisions`",
    "`audit.entries`",
    "`notify.notifications`",
)
LOG = kept("`booking.commands.v1`, one", "`booking.events.v1`, one")


def test_one_clinic() -> None:
    assert f"{COMMANDS_A_YEAR:,} commands a year" in TEXT
    commands = COMMANDS_A_YEAR * YEARS
    gigabytes = f"{commands:,} commands. {commands * POSTGRES / 1e9:.0f} GB in Postgres, "
    assert f"{gigabytes}{commands * LOG / 1e9:.1f} GB on the log" in TEXT
    busy = 5 * figure("worker") / 1_000
    assert f"{100 * busy:.1f} % of a core" in TEXT


def test_requests() -> None:
    rows = re.findall(r"^\| .+? \| ([\d.]+) ms \|$", TEXT.split("costs\n")[2], re.MULTILINE)
    assert f"{50 * figure('ingress, compression') / 10:.0f} %\nof a core of an ingress" in TEXT
    # Decimals, as Pythons add floats in different ways.
    assert f"and {50 * sum(map(Decimal, rows)) / 10:.0f} % of one for everything" in TEXT
    full = 1_000 / figure("ingress, compression")
    assert f"full at {full:.0f} requests a second" in TEXT
    assert f"plan for {full / 2:.0f}" in TEXT
    assert figure("requests a second") == 50 * CLINICS
    ingresses = math.ceil(2 * 50 * CLINICS / full)
    assert figure("ingresses, at") == ingresses
    assert f"A cell needs {math.ceil(ingresses * CELL / CLINICS)} ingresses" in TEXT


def test_what_gives_way() -> None:
    assert f"at most {1_000 / figure('worker') // 100 * 100:,.0f} a second" in TEXT
    assert f"some {4_000 / figure('Postgres, a fourth') // 100 * 100:,.0f} commands a second" in TEXT


def test_a_thousand_clinics() -> None:
    rate, commands = 5 * CLINICS, COMMANDS_A_YEAR * YEARS * CLINICS
    assert figure("commands a second") == rate
    assert figure("workers, at") == math.ceil(2 * rate * figure("worker") / 1_000)
    assert figure("cores of Postgres") == round(rate * figure("Postgres, a fourth") / 1_000, 1)
    assert figure("Postgres after") == round(commands * POSTGRES / 1e12)
    assert figure("log after") == round(commands * LOG / 1e12, 1)
    assert f"cells of {CELL}" in TEXT
    assert f"{commands / CLINICS * CELL * POSTGRES / 1e9:.0f} GB in seven years" in TEXT
