"""Every operation of the OpenAPI document is called with each kind of token: only its row lets one in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.commands import Actor
from infra import clock
from infra.signing_keys import load_signing_key
from infra.tokens import RECENT, Role, issue_token
from ingress.http.access import ACCESS, STEP_UP, Reach
from tests.clinic import Clinic, Patient
from tests.contract_documents.operations import Operation, operations
from tests.http.asking import booked, problem
from tests.http.login.logins import log_in, new_address

STREAM = "watch"
SECURED: list[dict[str, list[str]]] = [{"bearer": []}]


@pytest.fixture(scope="module")
async def openapi(shared: Clinic) -> Any:
    return (await shared.http.get("/openapi.json")).json()


@pytest.fixture(scope="module")
async def owner(shared: Clinic) -> Patient:
    """The patient whom the appointment belongs to that the operations are about."""
    return await shared.patient()


@pytest.fixture(scope="module")
async def ids(shared: Clinic, owner: Patient) -> dict[str, str]:
    """Values of path parameters: things that exist, and belong to the owner where they belong to anybody."""
    doctor_id = await shared.doctor()
    starts_at = (await shared.slots(doctor_id))[0]
    path = await booked(shared, owner.headers, doctor_id, starts_at)
    body = {"doctor_id": doctor_id, "starts_at": starts_at, "visit_type": "checkup"}
    sent = await shared.send("POST", "/v1/appointments", owner.headers, body)
    return {
        "appointment_id": path.rpartition("/")[2],
        "doctor_id": doctor_id,
        "patient_id": str(owner.id),
        "time_off_id": str(clock.new_id()),
        "session_id": str(clock.new_id()),
        "passkey_id": str(clock.new_id()),
        "receipt": sent.json()["receipt"],
    }


def secured(openapi: Any) -> list[Operation]:
    return [operation for operation in operations(openapi) if operation.value["security"] == SECURED]


async def call(
    clinic: Clinic, operation: Operation, ids: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    """The operation on the owner's things. Bodies are empty, so that they change nothing."""
    method, path = operation.label.split()
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"no value for a parameter of {path}"
    content: dict[str, Any] = {"json": {}} if "requestBody" in operation.value else {}
    async with clinic.http.stream(method, path, headers=headers, **content) as response:
        if operation.id != STREAM or response.status_code != 200:
            await response.aread()
        return response


def crafted(clinic: Clinic, **changed: Any) -> str:
    """A token of staff that is signed with the clinic's key, some claims changed."""
    key = load_signing_key(clinic.settings.signing_key_file)
    token = issue_token(key, clock.new_id(), Role.STAFF)
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {name: changed.pop(name, header[name]) for name in ("typ", "kid")}
    return jwt.encode({**claims, **changed}, key, algorithm="EdDSA", headers=headers)


def with_public_key(clinic: Clinic) -> str:
    public = load_signing_key(clinic.settings.signing_key_file).public_key()
    token = crafted(clinic)
    secret = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    headers = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, secret, algorithm="HS256", headers={"typ": "at+jwt", "kid": headers["kid"]})


def unsigned(clinic: Clinic) -> str:
    claims = jwt.decode(crafted(clinic), options={"verify_signature": False})
    return jwt.encode(claims, "", algorithm="none", headers={"typ": "at+jwt"})


def seconds(from_now: int) -> int:
    return int(clock.now().timestamp()) + from_now


REFUSED: dict[str, Callable[[Clinic], str]] = {
    "a third kind": lambda clinic: crafted(clinic, role="system"),
    "expired": lambda clinic: crafted(clinic, iat=seconds(-900), exp=seconds(-1)),
    "another audience": lambda clinic: crafted(clinic, aud="pharmacy"),
    "unsigned": unsigned,
    "signed with the public key": with_public_key,
    "another type": lambda clinic: crafted(clinic, typ="JWT"),
    "an expiry beyond the lifetime": lambda clinic: crafted(clinic, exp=seconds(3_600)),
    "an absurd expiry": lambda clinic: crafted(clinic, exp=10**400),
    "an unknown key": lambda _: issue_token(Ed25519PrivateKey.generate(), clock.new_id(), Role.STAFF),
    "nonsense": lambda _: "nonsense",
}


async def test_every_operation_for_somebody_has_a_row(openapi: Any) -> None:
    assert {operation.id for operation in secured(openapi)} == set(ACCESS)


@pytest.mark.parametrize("kind", REFUSED)
async def test_other_tokens_are_refused_everywhere(
    shared: Clinic, openapi: Any, ids: dict[str, str], kind: str
) -> None:
    headers = {"Authorization": f"Bearer {REFUSED[kind](shared)}"}
    for operation in secured(openapi):
        problem(await call(shared, operation, ids, headers), 401, "unauthenticated")


async def test_so_is_nobody_and_whoever_was_logged_out(
    shared: Clinic, openapi: Any, ids: dict[str, str]
) -> None:
    ended = await log_in(shared, new_address())
    await shared.http.post("/v1/auth/logout", json={"refresh_token": ended.refresh_token})
    as_access = {"Authorization": f"Bearer {(await log_in(shared, new_address())).refresh_token}"}
    for operation in secured(openapi):
        for headers in ({}, ended.headers, as_access):
            problem(await call(shared, operation, ids, headers), 401, "unauthenticated")


@pytest.mark.parametrize("role", Role)
async def test_the_row_decides_who_is_let_in(
    shared: Clinic, openapi: Any, ids: dict[str, str], role: Role
) -> None:
    for operation in secured(openapi):
        # A new one each time: one of the operations ends all logins, another forgets the patient.
        patient = await shared.patient()
        actor = Actor(kind=role.actor_kind, id=patient.id)
        headers = shared.headers(actor, timedelta(minutes=5), role)

        response = await call(shared, operation, ids, headers)

        is_refused = response.status_code == 403 and response.json()["detail"].startswith("Not for")
        assert is_refused is (role not in ACCESS[operation.id]), (operation.label, response.status_code)
        assert response.status_code < 500, operation.label


async def test_some_operations_need_a_login_of_the_last_minutes(
    shared: Clinic, openapi: Any, ids: dict[str, str]
) -> None:
    assert set(ACCESS) >= STEP_UP
    for operation in secured(openapi):
        role = next(iter(ACCESS[operation.id]))
        age_s = int(RECENT.total_seconds()) + 60
        patient = await shared.patient()
        actor = Actor(kind=role.actor_kind, id=patient.id)
        headers = shared.headers(actor, role=role, authenticated_at_s=seconds(-age_s))

        response = await call(shared, operation, ids, headers)

        if operation.id in STEP_UP:
            problem(response, 401, "step_up_required")
            assert 'error="insufficient_user_authentication"' in response.headers["www-authenticate"]
        else:
            assert response.status_code != 401, operation.label


async def test_whoever_reaches_only_their_own_finds_nothing_of_others(
    shared: Clinic, openapi: Any, ids: dict[str, str], owner: Patient
) -> None:
    about_one = ("appointment_id", "receipt")
    for operation in secured(openapi):
        if ACCESS[operation.id].get(Role.PATIENT) is not Reach.OWN:
            continue
        if not any(f"{{{name}}}" in operation.label for name in about_one) or operation.label.startswith(
            "DELETE"
        ):
            continue
        other = await shared.patient()
        has_body = "requestBody" in operation.value
        response = await call(shared, operation, ids, other.headers)
        problem(response, 422 if has_body else 404, "invalid_fields" if has_body else "not_found")
        if operation.label.startswith("GET"):
            assert (await call(shared, operation, ids, owner.headers)).status_code == 200, operation.label
