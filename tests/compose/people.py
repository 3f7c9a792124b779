"""People who log in through the proxy, and a doctor's booked times."""

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pyotp

from infra import clock
from tests.clinic import ALL_WEEK
from tests.compose.server import Server
from tests.waiting import until_async

ADDED_S = 60.0
# So that there are enough of them: 1,680 in two weeks.
SHORT = {"code": "short", "name": "Short", "minutes": 5}
CODE = re.compile(r"\b[0-9]{8}\b")


async def log_in(server: Server, http: httpx.AsyncClient, email: str) -> dict[str, str]:
    """A patient's token, by the code that was mailed to the sink."""
    asked = await http.post("/v1/auth/challenges", json={"email": email})
    assert asked.status_code == 202, asked.text
    codes: list[str] = []

    async def arrived() -> bool:
        mails = json.loads(server.clinic("mail", "list", "--json"))
        numbers = [str(mail["number"]) for mail in mails if mail["to"] == email]
        texts = [server.clinic("mail", "show", number, "--part", "text") for number in numbers[-2:]]
        codes.extend(code for text in texts for code in CODE.findall(text))
        return bool(codes)

    await until_async(arrived, "the code has been mailed", ADDED_S)
    body = {"challenge_id": asked.json()["challenge_id"], "code": codes[-1]}
    return await _token(http, body)


async def log_in_staff(server: Server, http: httpx.AsyncClient) -> dict[str, str]:
    """A token of a new member of staff, whose account the operator makes."""
    made = json.loads(server.clinic("staff", "add", f"{clock.new_id().hex}@example.org", "--json"))
    totp = pyotp.TOTP(made["seed"]).at(clock.now())
    return await _token(http, {"email": made["email"], "password": made["password"], "totp": totp})


async def _token(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, str]:
    answered = await http.post("/v1/auth/tokens", json=body)
    assert answered.status_code == 200, answered.text
    return {"Authorization": f"Bearer {answered.json()['access_token']}"}


async def confirmed(
    http: httpx.AsyncClient, method: str, path: str, who: dict[str, str], body: Any
) -> dict[str, Any]:
    """A write that has to be confirmed: its command resource."""
    headers = {**who, "Idempotency-Key": clock.new_id().hex, "Prefer": "wait=20"}
    answered = await http.request(method, path, json=body, headers=headers)
    resource: dict[str, Any] = answered.json()
    assert (answered.status_code, resource.get("state")) == (200, "confirmed"), answered.text
    return resource


async def new_doctor(http: httpx.AsyncClient, staff: dict[str, str]) -> str:
    """A doctor with hours all week: the id."""
    body: dict[str, Any] = {"name": "Dr. Test", "specialty": "tests", "visit_types": [SHORT]}
    body["policy"] = {"max_active_per_patient": 1_000, "slot_minutes": SHORT["minutes"]}
    id_ = str((await confirmed(http, "POST", "/v1/doctors", staff, body))["doctor_id"])
    await confirmed(http, "PUT", f"/v1/doctors/{id_}/schedule", staff, {"hours": ALL_WEEK})
    return id_


async def book(http: httpx.AsyncClient, who: dict[str, str], doctor_id: str) -> str:
    """Book the doctor's first free time from tomorrow on: the appointment's id."""
    today = clock.now().date()
    days = {"from": str(today + timedelta(days=1)), "to": str(today + timedelta(days=14))}
    days["visit_type"] = str(SHORT["code"])
    free = (await http.get(f"/v1/doctors/{doctor_id}/availability", params=days)).json()["days"]
    starts_at = next(slot["starts_at"] for day in free for slot in day["slots"])
    body = {"doctor_id": doctor_id, "starts_at": starts_at, "visit_type": SHORT["code"]}
    return str((await confirmed(http, "POST", "/v1/appointments", who, body))["appointment_id"])


async def booked(http: httpx.AsyncClient, who: dict[str, str]) -> set[str]:
    """The ids of the patient's appointments."""
    query, found = {"limit": "200"}, set[str]()
    while True:
        answered = await http.get("/v1/appointments", params=query, headers=who)
        assert answered.status_code == 200, answered.text
        page = answered.json()
        found |= {item["id"] for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]
