"""Personal answers are not cached."""

import re

from fastapi.routing import APIRoute

from ingress.app import OTHER_ROUTERS, ROUTERS
from ingress.http.auth import AuthenticatedRoute
from tests.clinic import Clinic, Patient
from tests.http.asking import booked

PUBLIC = {
    "/v1/availability",
    "/v1/clinic",
    "/v1/doctors",
    "/v1/doctors/{doctor_id}",
    "/v1/doctors/{doctor_id}/schedule",
    "/v1/doctors/{doctor_id}/availability",
    "/v1/doctors/{doctor_id}/availability/events",
}
FEED = "/v1/feeds/{secret}.ics"  # kept by the program that asked alone: tests/http/calendar_links
LINKS = {"/v1/undo/{token}", "/v1/unsubscribe/{token}"}  # from a message; their pages are not stored


def routes(*, personal: bool) -> list[APIRoute]:
    found = [route for module in (*ROUTERS, *OTHER_ROUTERS) for route in module.router.routes]
    return [
        route
        for route in found
        if isinstance(route, APIRoute) and isinstance(route, AuthenticatedRoute) is personal
    ]


async def test_no_personal_answer_is_stored(shared: Clinic, patient: Patient, doctor_id: str) -> None:
    path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
    command = await shared.confirmed("DELETE", path, patient.headers)
    ids = {
        "appointment_id": path.rpartition("/")[2],
        "doctor_id": doctor_id,
        "patient_id": str(patient.id),
        "time_off_id": doctor_id,
        "passkey_id": doctor_id,
        "session_id": doctor_id,
        "receipt": command["links"]["self"].rpartition("/")[2],
    }
    succeeded = 0
    for route in routes(personal=True):
        url = route.path_format
        for name in route.param_convertors:
            url = url.replace(f"{{{name}}}", ids[name])
        # A write is refused for its empty body or its missing key.
        for method in route.methods or ():
            for who in (shared.staff, patient.headers, {}):
                async with shared.http.stream(method, url, headers=who) as response:
                    assert response.headers["cache-control"] == "no-store", (method, url)
                    assert response.headers["x-content-type-options"] == "nosniff", (method, url)
                    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"]), (method, url)
                    succeeded += response.is_success
    assert succeeded > 10


def test_answers_without_a_token_are_public() -> None:
    unsigned = {route.path for route in routes(personal=False) if "GET" in (route.methods or ())}
    assert {path for path in unsigned if path.startswith("/v1/")} - LINKS - {FEED} == PUBLIC
