"""`clinic zones` on the terminal, or as JSON."""

import asyncio
import json
from typing import Any
from zoneinfo import ZoneInfo

from rich.text import Text

from contracts.decision import State
from contracts.fields import rfc3339
from infra.settings import Settings
from infra.zones import zone_data_version
from ops.connections import quiet
from ops.console import console, table
from ops.zones.move import look, move_all
from storage.zone_data import ShiftedVisit


def check(settings: Settings, as_json: bool) -> bool:
    """Print the visits whose local time is not the promised one. Returns True if there is none.

    Raises:
        ClinicError: Postgres is unavailable or has no schema.
    """
    quiet()
    visits, versions = asyncio.run(look(settings))
    if as_json:
        print(
            json.dumps(
                {
                    "zone_data": zone_data_version(),
                    "decided_with": sorted(versions),
                    "without_promise": visits.without_promise,
                    "visits": [_plain(visit) for visit in visits.shifted],
                },
                indent=2,
            )
        )
        return not visits.shifted
    screen = console()
    if visits.shifted:
        rows = table("appointment", "doctor", "promised", "now shown as", "to move to")
        for visit in visits.shifted:
            rows.add_row(*_cells(visit))
        screen.print(rows)
    decided = f"; the last decisions were made with {', '.join(sorted(versions))}" if versions else ""
    screen.print(f"zone data {zone_data_version()}{decided}", soft_wrap=True)
    screen.print(f"{len(visits.shifted):,} booked visits no longer have the promised local time")
    if visits.without_promise:
        screen.print(f"{visits.without_promise:,} were booked by an earlier release, which kept no promise")
    return not visits.shifted


def apply(settings: Settings, as_json: bool) -> bool:
    """Move those visits to their promised local time, and print what became of each.

    Returns True if all could be moved. May be interrupted and repeated: each visit moves once.

    Raises:
        ClinicError: a server is unavailable, or no worker decides.
    """
    quiet()
    outcomes = asyncio.run(move_all(settings))
    fine = all(outcome.state == State.CONFIRMED for outcome in outcomes)
    if as_json:
        plain = [
            {**_plain(outcome.visit), "state": outcome.state, "reason": outcome.reason}
            for outcome in outcomes
        ]
        print(json.dumps(plain, indent=2))
        return fine
    screen = console()
    if outcomes:
        rows = table("appointment", "doctor", "promised", "was shown as", "moved to", "")
        for outcome in outcomes:
            moved = outcome.state == State.CONFIRMED
            said = "moved" if moved else f"not moved: {outcome.reason or outcome.state}"
            rows.add_row(*_cells(outcome.visit), Text(said, "green" if moved else "red"))
        screen.print(rows)
    count = sum(outcome.state == State.CONFIRMED for outcome in outcomes)
    screen.print(f"{count:,} visits moved, {len(outcomes) - count:,} not")
    return fine


def _cells(visit: ShiftedVisit) -> tuple[str, Text, str, str, str]:
    zone = ZoneInfo(visit.promise.time_zone)
    times = (at.astimezone(zone).isoformat(" ", "minutes") for at in (visit.starts_at, visit.kept_at))
    shown, kept = times
    promised = f"{visit.promise.local.isoformat(' ', 'minutes')} {visit.promise.time_zone}"
    return str(visit.appointment_id), Text(visit.doctor_name), promised, shown, kept


def _plain(visit: ShiftedVisit) -> dict[str, Any]:
    return {
        "appointment_id": str(visit.appointment_id),
        "doctor_id": str(visit.doctor_id),
        "version": visit.version,
        "promised_start": str(visit.promise),
        "starts_at": rfc3339(visit.starts_at),
        "kept_at": rfc3339(visit.kept_at),
    }
