"""The trail as `GET /v1/audit` gives it, and a story to find in it."""

import json
from typing import Any, NamedTuple

from tests.clinic import Clinic, Patient
from tests.waiting import until_async

TIMEOUT_S = 60.0
# Exports are recorded, too, as being about what they asked for: in the other chain.
BOOKING = {"chain": "booking"}

Entry = dict[str, Any]


class Export(NamedTuple):
    """An answer: its entries, and its last line."""

    entries: list[Entry]
    last: dict[str, Any]

    @property
    def places(self) -> list[tuple[str, int, int]]:
        return [(one["chain"], one["partition"], one["number"]) for one in self.entries]

    @property
    def actions(self) -> list[str]:
        return [one["content"]["action"] for one in self.entries]


async def export(clinic: Clinic, **query: Any) -> Export:
    """One answer. `from_` stands for the query's `from`."""
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
    """All entries, answer after answer."""
    found: list[Entry] = []
    while True:
        part = await export(clinic, **query)
        found += part.entries
        if part.last["complete"]:
            return found
        query = {**query, "cursor": part.last["next_cursor"]}


async def kept(clinic: Clinic) -> None:
    """That the auditor keeps what has happened in the book by now."""
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
