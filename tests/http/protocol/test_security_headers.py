"""Headers that every answer has for browsers, whoever asked for it (OWASP ASVS 5.0, V3.4)."""

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from ingress.http.browsers import STAY_WITH_TLS, ForBrowsers
from tests.clinic import Clinic, Patient

ELSEWHERE = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}


async def answers(
    clinic: Clinic, patient: Patient, headers: dict[str, str] | None = None
) -> list[httpx.Response]:
    """An answer of each kind: data, pages, files, none, and what is refused."""
    who = {**patient.headers, **(headers or {})}
    asked = [
        ("GET", "/v1/doctors"), ("GET", "/v1/me"), ("HEAD", "/v1/me"), ("GET", "/v1/nothing"), ("GET", "/"),
        ("POST", "/v1/appointments"), ("PUT", "/v1/appointments"), ("GET", "/en"), ("GET", "/clinic.css"),
        ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/metrics"), ("GET", "/v1/unsubscribe/x"),
        ("GET", "/v1/feeds/x.ics"), ("POST", "/v1/auth/logout"), ("OPTIONS", "/v1/me"), ("TRACE", "/v1/me"),
    ]  # fmt: skip
    return [await clinic.http.request(method, path, headers=who) for method, path in asked]


async def test_every_answer_has_them(shared: Clinic, patient: Patient) -> None:
    for answer in await answers(shared, patient):
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy, answer.url
        assert "base-uri 'none'" in policy
        assert "object-src 'none'" in policy or "default-src 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        media_type = answer.headers.get("content-type", "")
        assert media_type or not answer.content, answer.url
        assert "charset=utf-8" in media_type or not media_type.startswith("text/"), media_type
        assert all(len(answer.headers.get_list(name)) == 1 for name in ("referrer-policy", "x-request-id"))


async def test_no_other_origin_may_read_answers(shared: Clinic, patient: Patient) -> None:
    for answer in await answers(shared, patient, ELSEWHERE):
        assert not [name for name in answer.headers if name.startswith("access-control-")], answer.url


async def test_trace_is_no_method(shared: Clinic, patient: Patient) -> None:
    response = await shared.http.request("TRACE", "/v1/me", headers=patient.headers)
    assert response.status_code == 405
    assert patient.headers["Authorization"] not in response.text


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_over_tls_browsers_are_told_to_stay_with_it(scheme: str) -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def keep(message: Message) -> None:
        sent.append(message)

    await ForBrowsers(app)({"type": "http", "scheme": scheme}, None, keep)  # type: ignore[arg-type]

    # RFC 6797, section 7.2: and on no other connection.
    assert (STAY_WITH_TLS in sent[0]["headers"]) is (scheme == "https")
