"""The first and the last year of an export: answered and audited, or refused; never only one of the two."""

import json
from typing import Any

import pytest

from contracts.commands import Actor
from contracts.security import AuditExported
from tests.clinic import Clinic, free_port, ingress
from tests.http.asking import pointers
from tests.http.audit.test_security_events import by

# Bounds out of range: midnight of that day (of the next day for `to`), in UTC.
ZONES = {
    "Europe/Berlin": {"from": {"1900-01-01"}, "to": set()},
    "UTC": {"from": set(), "to": {"2199-12-31"}},
    "America/New_York": {"from": set(), "to": {"2199-12-31"}},
}


@pytest.mark.parametrize("zone", ZONES)
async def test_every_export_is_audited_and_can_be_continued(shared: Clinic, staff: Actor, zone: str) -> None:
    port, who = free_port(), shared.headers(staff)
    update: dict[str, Any] = {"port": port, "url": f"http://127.0.0.1:{port}", "time_zone": zone}
    exports = 0
    async with ingress(shared.settings.model_copy(update=update)) as http:
        for name, refused in ZONES[zone].items():
            for day in ("1900-01-01", "1900-01-02", "2199-12-30", "2199-12-31"):
                answers = [
                    await http.get(path, headers=who, params={name: day})
                    for path in ("/v1/audit", "/v1/appointments")
                ]
                if day in refused:
                    assert [pointers(answer) for answer in answers] == [[f"/{name}"]] * 2
                    continue
                assert [answer.status_code for answer in answers] == [200, 200], (name, day)
                cursor = json.loads(answers[0].text.splitlines()[-1])["next_cursor"]
                again = await http.get("/v1/audit", headers=who, params={"cursor": cursor})
                assert again.status_code == 200, again.text
                exports += 2

    # Each can be read: `by` decodes them as the auditor does.
    recorded = [event for event in await by(shared, staff) if isinstance(event, AuditExported)]
    assert len(recorded) == exports


async def test_instants_have_the_same_bounds(shared: Clinic, staff: Actor) -> None:
    who = shared.headers(staff)
    for name in ("from", "to"):
        for instant, status in (
            ("1900-01-01T00:00:00Z", 200),
            ("1900-01-01T00:00:00+00:01", 422),
            ("2199-12-31T23:59:59.999999Z", 200),
            ("2199-12-31T23:59:59-12:00", 422),
        ):
            answer = await shared.http.get("/v1/audit", headers=who, params={name: instant})
            assert answer.status_code == status, (name, instant)

    assert len(await by(shared, staff)) == 4
