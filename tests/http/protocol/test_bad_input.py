"""Bad requests: each gets a problem with its code; values are never repeated, and nothing reaches the log."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.commands import Actor, ActorKind
from infra.tokens import Role, issue_token
from ingress.http.problems import Code
from ingress.http.strict_json import BODY_BYTES_MAX
from tests.clinic import CHECKUP, Clinic, Patient
from tests.http.asking import JSON, booking, pointers, post_booking, problem

# The codes that API.md promises today; `rate_limited` will come with the limits.
PROMISED = {
    "idempotency_key_missing", "malformed_json", "unauthenticated", "forbidden", "not_found",
    "body_too_large", "unsupported_media_type", "invalid_fields", "idempotency_key_reused",
    "unknown_patient", "log_unavailable",
}  # fmt: skip
SOME_ID = "0b8f7a52-5a53-4d2f-9c39-6f1d3f8f8a11"
BOOKING = booking(SOME_ID, "2026-12-01T09:00:00+01:00")
DOCTOR = {"name": "Dr. Test", "specialty": "tests", "visit_types": [CHECKUP]}

pytestmark = pytest.mark.usefixtures("nothing_reaches_the_log")


def test_every_promised_code_exists() -> None:
    assert set(Code) >= PROMISED


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n", id="white space"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b'{"visit_type": "\xed\xa0\x80"}', id="a surrogate as UTF-8"),
        pytest.param(b'{"visit_type": "\xc0\xaf"}', id="overlong UTF-8"),
        pytest.param(json.dumps(BOOKING).encode("utf-16"), id="UTF-16"),
        pytest.param(json.dumps(BOOKING).encode("utf-16-le"), id="UTF-16 without BOM"),
        pytest.param(json.dumps(BOOKING).encode("utf-32"), id="UTF-32"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(BOOKING).encode(), id="BOM"),
        pytest.param(b'{"minutes": NaN}', id="NaN"),
        pytest.param(b'{"minutes": Infinity}', id="Infinity"),
        pytest.param(b'{"minutes": -Infinity}', id="-Infinity"),
        pytest.param(b'{"minutes": [{"x": NaN}]}', id="NaN deep inside"),
        pytest.param(b'{"minutes": 01}', id="leading zero"),
        pytest.param(b'{"minutes": +1}', id="plus"),
        pytest.param(b'{"minutes": .5}', id="bare fraction"),
        pytest.param(b'{"minutes": 0x10}', id="hexadecimal"),
        pytest.param(b'{"minutes": True}', id="Python"),
        pytest.param(b"{'minutes': 1}", id="single quotes"),
        pytest.param(b"{minutes: 1}", id="bare key"),
        pytest.param(b'{"minutes": 1,}', id="trailing comma"),
        pytest.param(b'{"minutes": 1} // why', id="comment"),
        pytest.param(json.dumps(BOOKING).encode() + b"{}", id="two values"),
        pytest.param(json.dumps(BOOKING).encode() + b"\x00", id="NUL behind"),
        pytest.param(json.dumps(BOOKING).encode()[:-1], id="cut off"),
        pytest.param(b'{"reason": "a\nb"}', id="bare line feed in a string"),
        pytest.param(b'{"reason": "\\x41"}', id="unknown escape"),
        pytest.param(b'{"reason": "\\u12"}', id="short escape"),
        pytest.param(b'{"reason": "one", "reason": "one"}', id="a key twice"),
        pytest.param(b'{"reason": "one", "\\u0072eason": "two"}', id="a key twice, once escaped"),
        pytest.param(b'{"policy": {"a": 1, "a": 2}}', id="a key twice inside"),
        pytest.param(b'{"visit_types": [[{"a": 1, "a": 2}]]}', id="a key twice deep inside"),
        pytest.param(b"[" * 30_000 + b"]" * 30_000, id="nested too deep"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="objects nested too deep"),
        pytest.param(b"[" * 60_000, id="only opened"),
    ],
)
async def test_a_body_that_is_not_json_is_malformed(shared: Clinic, patient: Patient, content: bytes) -> None:
    assert problem(await post_booking(shared, patient.headers, content), 400, "malformed_json") == []


async def test_a_body_has_at_most_64_kib_however_it_is_sent(shared: Clinic, patient: Patient) -> None:
    async def in_chunks(content: bytes) -> AsyncIterator[bytes]:
        for begin in range(0, len(content), 10_000):
            yield content[begin : begin + 10_000]

    fits = json.dumps(BOOKING | {"x": 1}).encode().ljust(BODY_BYTES_MAX)
    for size, content in (
        (64 * 1024, fits),
        (64 * 1024 + 1, fits + b" "),
        (3_000_000, fits + b" " * 2_934_464),
    ):
        assert len(content) == size
        for body in (content, in_chunks(content)):
            response = await post_booking(shared, patient.headers, body)
            if size == 64 * 1024:
                assert pointers(response) == ["/x"]
            else:
                problem(response, 413, "body_too_large")


async def test_a_body_needs_the_media_type_of_json(shared: Clinic, patient: Patient) -> None:
    content = json.dumps(BOOKING | {"x": 1}).encode()
    for media_type in (
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "json",
        "*/*",
    ):
        problem(
            await post_booking(shared, patient.headers, content, media_type), 415, "unsupported_media_type"
        )
    for media_type in (JSON, "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"):
        assert pointers(await post_booking(shared, patient.headers, content, media_type)) == ["/x"]


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="missing"),
        pytest.param([b""], id="empty"),
        pytest.param([b'""'], id="quoted empty"),
        pytest.param([b"k" * 256], id="256 characters"),
        pytest.param([b'"' + b"k" * 256 + b'"'], id="quoted, 256 characters"),
        pytest.param(["clé".encode()], id="not ASCII"),
        pytest.param([b"cl\xe9"], id="Latin-1"),
        pytest.param([b"two words"], id="a space"),
        pytest.param([b"a\tb"], id="a tab"),
        pytest.param([b"one", b"two"], id="two of them"),
        pytest.param([b"same", b"same"], id="the same twice"),
    ],
)
async def test_a_write_has_one_idempotency_key(shared: Clinic, patient: Patient, keys: list[bytes]) -> None:
    headers = [(b"Authorization", patient.headers["Authorization"].encode())]
    headers += [(b"Idempotency-Key", key) for key in keys]
    book = await shared.http.post("/v1/appointments", headers=headers, json=BOOKING)
    cancel = await shared.http.delete(f"/v1/appointments/{SOME_ID}", headers=headers)

    for response in (book, cancel):
        assert problem(response, 400, "idempotency_key_missing") == []
        assert not [key for key in keys if len(key) > 3 and key.decode("latin-1") in response.text]


async def test_authentication_comes_first(shared: Clinic, patient: Patient) -> None:
    actor = Actor(kind=ActorKind.PATIENT, id=patient.id)
    good = patient.headers["Authorization"].removeprefix("Bearer ")
    head, claims, signature = good.split(".")
    tokens = {
        "none": None,
        "no scheme": good,
        "another scheme": f"Basic {good}",
        "only the scheme": "Bearer",
        "no token": "Bearer nonsense",
        "unsigned": f"Bearer {head}.{claims}.",
        "claims changed": f"Bearer {head}.{claims[:-4]}AAAA.{signature}",
        "expired": shared.headers(actor, timedelta(seconds=-1))["Authorization"],
        "another key": f"Bearer {issue_token(Ed25519PrivateKey.generate(), patient.id, Role.PATIENT)}",
        "two tokens": f"Bearer {good}, Bearer {good}",
        "long": f"Bearer {'a' * 10_000}",
    }
    too_large = b"{" * (BODY_BYTES_MAX + 1)
    for name, authorization in tokens.items():
        who = {"Authorization": authorization} if authorization else {}
        answers = [
            await shared.http.get("/v1/appointments", headers=who),
            await shared.http.get("/v1/commands/forged", headers=who),
            await shared.http.delete("/v1/appointments/no-id", headers=who),
            await shared.http.post("/v1/appointments", headers=who, content=b"not JSON"),
            await shared.http.post("/v1/doctors", headers=who, content=too_large),
            await shared.http.put("/v1/doctors/no-id/schedule", headers=who, json={"hours": 1}),
        ]
        for response in answers:
            assert problem(response, 401, "unauthenticated") == [], name
            assert response.headers["www-authenticate"] == "Bearer"
            assert good not in response.text
    lower = await shared.http.get("/v1/appointments", headers={"authorization": f"bearer {good}"})
    assert lower.status_code == 200, "schemes have no case (RFC 9110, section 11.1)"


async def test_only_staff_change_doctors(shared: Clinic, patient: Patient, doctor_id: str) -> None:
    for body in (DOCTOR, {}, {"name": "\0"}):
        problem(await shared.send("POST", "/v1/doctors", patient.headers, body), 403, "forbidden")
        path = f"/v1/doctors/{doctor_id}/schedule"
        problem(await shared.send("PUT", path, patient.headers, body), 403, "forbidden")


async def test_unknown_resources_are_not_found(shared: Clinic, doctor_id: str) -> None:
    for path in (
        "/v1",
        "/v1/",
        "/v1/doctors/",
        "/v1/nothing",
        f"/v1/doctors/{doctor_id}/",
        "/v2/doctors",
    ):
        for method in ("GET", "POST", "DELETE"):
            problem(await shared.http.request(method, path, headers=shared.staff), 404, "not_found")
    no_ids = ["1", "x", "%00", "%FF", "..%2F", doctor_id[:-1], f"{doctor_id}0", "%20" + doctor_id]
    no_ids += [f"%7B{doctor_id}%7D", f"urn:uuid:{doctor_id}", doctor_id.replace("-", ""), "é", "x" * 5_000]
    for id_ in (SOME_ID, *no_ids):
        for path in ("/v1/doctors/{}", "/v1/doctors/{}/schedule", "/v1/doctors/{}/availability"):
            problem(await shared.http.get(path.format(id_)), 404, "not_found")
        path = f"/v1/appointments/{id_}"
        problem(await shared.http.get(path, headers=shared.staff), 404, "not_found")
        problem(await shared.send("DELETE", path, shared.staff), 404, "not_found")
    for id_ in no_ids:
        response = await shared.send("PUT", f"/v1/doctors/{id_}/schedule", shared.staff, {"hours": []})
        problem(response, 404, "not_found")


async def test_a_wrong_method_is_answered_with_the_allowed_ones(shared: Clinic) -> None:
    for method, path, allowed in (
        ("PUT", "/v1/doctors", {"GET", "HEAD", "POST"}),
        ("DELETE", "/v1/doctors", {"GET", "HEAD", "POST"}),
        ("POST", f"/v1/doctors/{SOME_ID}/availability", {"GET", "HEAD"}),
        ("POST", f"/v1/doctors/{SOME_ID}/schedule", {"GET", "HEAD", "PUT"}),
        ("PUT", "/v1/appointments", {"GET", "HEAD", "POST"}),
        ("PUT", f"/v1/appointments/{SOME_ID}", {"GET", "HEAD", "DELETE"}),
        ("DELETE", "/v1/commands/x", {"GET", "HEAD"}),
        ("GET", "/v1/patients/search", {"POST"}),
        ("PATCH", "/v1/patients/lookup", {"POST"}),
        ("POST", "/health/live", {"GET", "HEAD"}),
        ("QUERY", "/v1/doctors", {"GET", "HEAD", "POST"}),
    ):
        response = await shared.http.request(method, path, json={})
        assert problem(response, 405, "method_not_allowed") == []
        assert set(response.headers["allow"].split(", ")) == allowed, (method, path)
