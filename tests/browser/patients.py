"""Patients in a browser, who log in with the code that they were mailed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, expect

from contracts.commands import Actor, ActorKind
from tests.browser.looking import opened
from tests.clinic import Clinic
from tests.http.login.logins import ask, code_of, new_address

CODE = "Code"


def book_address(doctor_id: str, starts_at: str, language: str = "en") -> str:
    """The page on which a chosen time is booked."""
    at = starts_at.replace("+", "%2B")
    return f"/{language}/book?doctor={doctor_id}&visit=checkup&at={at}"


async def registered(clinic: Clinic, **fields: Any) -> tuple[str, dict[str, str]]:
    """A patient with a name: the mail address, and a token."""
    body = {"email": new_address(), "name": "Erika Mustermann", **fields}
    response = await clinic.http.post("/v1/patients", json=body, headers=clinic.staff)
    assert response.status_code == 201, response.text
    patient = Actor(kind=ActorKind.PATIENT, id=response.json()["id"])
    return str(body["email"]), clinic.headers(patient)


async def logged_in(page: Page, clinic: Clinic, email: str) -> None:
    """Log the browser in, without the form; the page that is open does not know it yet."""
    challenge_id = await ask(clinic, email)
    login = {"challenge_id": challenge_id, "code": await code_of(clinic, challenge_id), "session": "cookie"}
    status = await page.evaluate(
        """(login) => fetch("/v1/auth/tokens", {method: "POST", body: JSON.stringify(login),
            headers: {"Content-Type": "application/json"}}).then(({status}) => status)""",
        login,
    )
    assert status == 200


@asynccontextmanager
async def about_to_book(
    browser: Browser, clinic: Clinic, **fields: Any
) -> AsyncIterator[tuple[Page, dict[str, str], str]]:
    """A new patient with these `fields` has chosen a time and logged in: the page, a token, and the time."""
    doctor_id = await clinic.doctor()
    starts_at, *_ = await clinic.slots(doctor_id)
    email, headers = await registered(clinic, **fields)
    async with opened(browser, clinic) as page:
        await logged_in(page, clinic, email)
        await page.goto(book_address(doctor_id, starts_at))
        yield page, headers, starts_at


async def sent(page: Page, path: str) -> str:
    """Send what was typed: the id of the challenge."""
    async with page.expect_response(f"**{path}") as response:
        await page.keyboard.press("Enter")
    return str((await (await response.value).json())["challenge_id"])


async def asked_for_code(page: Page, email: str) -> str:
    """Answer the question for the mail address: the challenge's id."""
    await page.get_by_label("Email address").fill(email)
    challenge_id = await sent(page, "/v1/auth/challenges")
    await expect(page.get_by_role("heading", level=1, name="Enter the code")).to_be_focused()
    return challenge_id


async def appointments(clinic: Clinic, headers: dict[str, str]) -> list[dict[str, Any]]:
    """All appointments of a patient."""
    response = await clinic.http.get("/v1/appointments", headers=headers)
    items: list[dict[str, Any]] = response.json()["items"]
    return items
