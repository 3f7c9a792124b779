"""The trail as `GET /v1/audit` returns it, and an appointment's history to find in it."""

import json
from typing import Any, NamedTuple

from tests.clinic import Clinic, Patient
from tests.waiting import until_async

TIMEOUT_S = 60.0
# Exports are audited too, by their filters, in the other chain.
BOOKING = {"chain": "booking"}

Entry = dict[str, Any]


class Export(NamedTuple):
    """A response: its entries and its last line."""

    entries: list[Entry]
    last: dict[str, Any]

    @property
    def places(self) -> list[tuple[str, int, int]]:
        return [(entry["chain"], entry["partition"], entry["number"]) for entry in self.entries]

    @property
    def actions(self) -> list[str]:
        return [entry["content"]["action"] for entry in self.entries]


async def export(clinic: Clinic, **query: Any) -> Export:
    """One response. `from_` is the query parameter `from`."""
    params = {name.rstrip("_"): value for name, value in query.items()}
    answer = await clinic.http.get("/v1/audit", headers=clinic.staff, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    *entries, last = [json.loads(line) for line in answer.text.splitlines()]
    assert list(last) == ["heads", "complete", "next_cursor"]
    assert all(
        list(entry) == ["chain", "partition", "number", "recorded_at", "hash", "content"] for entry in entries
    )
    return Export(entries, last)


async def whole(clinic: Clinic, **query: Any) -> list[Entry]:
    """All entries, response by response."""
    found: list[Entry] = []
    while True:
        part = await export(clinic, **query)
        found += part.entries
        if part.last["complete"]:
            return found
        query = {**query, "cursor": part.last["next_cursor"]}


async def kept(clinic: Clinic) -> None:
    """Waits until the auditor has recorded everything that has happened to the book so far."""
    count = await clinic.postgres.fetchval("SELECT count(*) FROM booking.events")

    async def there() -> bool:
        kept = await clinic.postgres.fetchval("SELECT count(*) FROM audit.entries WHERE chain = 'booking'")
        return bool(kept >= count)

    await until_async(there, f"{count} entries are kept", TIMEOUT_S)


class Story(NamedTuple):
    """An appointment that was booked by its patient, moved to another doctor, and cancelled by staff."""

    patient: Patient
    doctors: list[str]
    path: str

    @property
    def appointment_id(self) -> str:
        return self.path.rpartition("/")[2]
