"""The link that ends a patient's reminders (RFC 8058): by one click or by a button, never by a GET."""

import asyncio
import html
from typing import Any

import httpx
import pytest

from infra import clock
from infra.keys import Keys
from ingress.http.strict_json import BODY_BYTES_MAX
from tests.clinic import Clinic, Patient, free_port, ingress
from tests.http.asking import get, pointers, problem

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
URLENCODED = "application/x-www-form-urlencoded"


def link(clinic: Clinic, patient: Patient) -> str:
    """The link in the header of a reminder to the patient."""
    return f"/v1/unsubscribe/{Keys.load(clinic.settings).sign_unsubscribe(patient.id)}"


async def reminders(clinic: Clinic, patient: Patient) -> bool:
    wanted: bool = (await get(clinic.http, "/v1/me", patient.headers))["reminders"]
    return wanted


def page(response: httpx.Response) -> str:
    """Asserts that the answer is a page that loads nothing and is not cached; returns its text."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "http" not in response.text
    return html.unescape(response.text)


def nested(depth: int) -> bytes:
    """Multiparts nested in multiparts; the outermost has the boundary 0."""
    return b"".join(
        b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (number, number + 1)
        for number in range(depth)
    )


class TestOneClick:
    @pytest.mark.parametrize(
        "form", [{"data": ONE_CLICK}, {"files": {"List-Unsubscribe": (None, "One-Click")}}]
    )
    async def test_ends_reminders_without_a_login(self, shared: Clinic, form: dict[str, Any]) -> None:
        patient, other = await shared.patient(), await shared.patient()
        before = await get(shared.http, "/v1/me", patient.headers)

        said = page(await shared.http.post(link(shared, patient), **form))

        assert "You will no longer receive reminders." in said
        assert await get(shared.http, "/v1/me", patient.headers) == before | {"reminders": False}
        assert await reminders(shared, other)

    async def test_may_be_repeated_and_undone(self, shared: Clinic) -> None:
        patient = await shared.patient()
        path = link(shared, patient)
        for _ in range(2):
            page(await shared.http.post(path, data=ONE_CLICK))
            assert not await reminders(shared, patient)

        await shared.http.patch("/v1/me", headers=patient.headers, json={"reminders": True})
        assert await reminders(shared, patient)
        page(await shared.http.post(path, data=ONE_CLICK))
        assert not await reminders(shared, patient), "the link never expires"

    async def test_does_not_undo_a_simultaneous_change(self, shared: Clinic) -> None:
        patient = await shared.patient()
        names = [f"Ada {number}" for number in range(5)]

        await asyncio.gather(
            *(
                shared.http.patch("/v1/me", headers=patient.headers, json={"name": name, "language": "de"})
                for name in names
            ),
            *(shared.http.post(link(shared, patient), data=ONE_CLICK) for _ in range(5)),
        )

        known = await get(shared.http, "/v1/me", patient.headers)
        assert known["name"] in names
        assert (known["language"], known["reminders"]) == ("de", False)

    async def test_of_a_forgotten_patient_succeeds(self, shared: Clinic) -> None:
        patient = await shared.patient()
        await shared.http.delete("/v1/me", headers=patient.headers)

        assert "<form" not in page(await shared.http.get(link(shared, patient)))
        page(await shared.http.post(link(shared, patient), data=ONE_CLICK))

    async def test_reveals_no_names(self, shared: Clinic) -> None:
        patient = await shared.patient()
        await shared.http.patch("/v1/me", headers=patient.headers, json={"name": "Ada Lovelace"})
        email = (await get(shared.http, "/v1/me", patient.headers))["email"]

        for method, form in (("GET", None), ("POST", ONE_CLICK)):
            said = page(await shared.http.request(method, link(shared, patient), data=form))
            assert "Ada" not in said
            assert email not in said


class TestTheLinksPage:
    async def test_changes_nothing_and_shows_a_button(self, shared: Clinic) -> None:
        patient = await shared.patient()
        for _ in range(3):
            said = page(await shared.http.get(link(shared, patient)))

        assert await reminders(shared, patient)
        assert '<html lang="en">' in said
        assert '<form method="post"><button class="button" name="List-Unsubscribe" value="One-Click">' in said

    async def test_is_in_the_patients_language(self, shared: Clinic) -> None:
        patient = await shared.patient()
        await shared.http.patch("/v1/me", headers=patient.headers, json={"language": "de"})

        said = page(await shared.http.get(link(shared, patient)))
        assert '<html lang="de">' in said
        assert "Möchten Sie keine Erinnerungen" in said
        assert "Sie bekommen keine Erinnerungen mehr." in page(
            await shared.http.post(link(shared, patient), data=ONE_CLICK)
        )

    async def test_shows_no_button_afterwards(self, shared: Clinic) -> None:
        patient = await shared.patient()
        await shared.http.post(link(shared, patient), data=ONE_CLICK)

        said = page(await shared.http.get(link(shared, patient)))
        assert "<form" not in said
        assert "You will no longer receive reminders." in said

    async def test_shows_the_clinics_name_as_text(self, shared: Clinic) -> None:
        port = free_port()
        update = {"port": port, "url": f"http://127.0.0.1:{port}", "name": "<b>Clinic</b> & Co"}
        patient = await shared.patient()
        async with ingress(shared.settings.model_copy(update=update)) as http:
            answer = await http.get(link(shared, patient))

        assert "&lt;b&gt;Clinic&lt;/b&gt; &amp; Co" in answer.text
        assert "<b>" not in answer.text


class TestInvalidRequests:
    async def test_a_forged_link_is_not_found(self, shared: Clinic) -> None:
        patient, other = await shared.patient(), await shared.patient()
        mine, theirs = link(shared, patient), link(shared, other)
        foreign = f"/v1/unsubscribe/{Keys(bytes(32)).sign_unsubscribe(patient.id)}"
        for path in (
            mine[:-1],
            f"{mine}A",
            mine[:-22] + theirs[-22:],
            foreign,
            f"/v1/unsubscribe/{patient.id}",
        ):
            problem(await shared.http.get(path), 404, "not_found")
            problem(await shared.http.post(path, data=ONE_CLICK), 404, "not_found")
        assert await reminders(shared, patient)
        assert await reminders(shared, other)

    async def test_a_link_for_a_patient_who_never_existed_changes_nothing(self, shared: Clinic) -> None:
        nobody = Patient(clock.new_id(), {})

        page(await shared.http.post(link(shared, nobody), data=ONE_CLICK))

    @pytest.mark.parametrize(
        ("content", "media_type", "status", "code"),
        [
            (b'{"List-Unsubscribe": "One-Click"}', "application/json", 415, "unsupported_media_type"),
            (b"List-Unsubscribe=One-Click", None, 415, "unsupported_media_type"),
            (b"", URLENCODED, 400, "malformed_json"),
            (b"List-Unsubscribe", URLENCODED, 422, "invalid_fields"),
            (b"List-Unsubscribe=One-Click\xff", URLENCODED, 422, "invalid_fields"),
            (b"List-Unsubscribe=%ff", URLENCODED, 422, "invalid_fields"),
            (b"no multipart", "multipart/form-data", 400, "malformed_json"),
            (b"no multipart", "multipart/form-data; boundary=x", 400, "malformed_json"),
            (nested(2), "multipart/form-data; boundary=0", 400, "malformed_json"),
            (nested(1_100), "multipart/form-data; boundary=0", 400, "malformed_json"),
            (b"a=" + b"a" * BODY_BYTES_MAX, URLENCODED, 413, "body_too_large"),
        ],
    )
    async def test_another_body_is_refused(
        self, shared: Clinic, content: bytes, media_type: str | None, status: int, code: str
    ) -> None:
        patient = await shared.patient()
        headers = {"Content-Type": media_type} if media_type else {}

        response = await shared.http.post(link(shared, patient), content=content, headers=headers)

        problem(response, status, code)
        assert await reminders(shared, patient)

    @pytest.mark.parametrize(
        "form",
        [
            {"List-Unsubscribe": "Two-Clicks"},
            {"list-unsubscribe": "One-Click"},
            {"a": "One-Click"},
            {"List-Unsubscribe": ["One-Click", "One-Click"]},
            {**ONE_CLICK, "a": "b"},
            {"List-Unsubscribe": ""},
        ],
    )
    async def test_another_field_is_refused(self, shared: Clinic, form: dict[str, Any]) -> None:
        patient = await shared.patient()

        response = await shared.http.post(link(shared, patient), data=form)

        assert pointers(response) == ["/List-Unsubscribe"]
        assert await reminders(shared, patient)
