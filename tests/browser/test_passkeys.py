"""Passkeys on the pages, with an authenticator that Chromium simulates (DevTools, domain WebAuthn)."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, Route, expect

from infra.tokens import RECENT
from tests.browser.looking import accessible, opened
from tests.browser.patients import CODE, asked_for_code, logged_in, registered
from tests.clinic import Clinic
from tests.http.login.logins import code_of
from tests.waiting import until_async

PHONE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
LOG_IN = "Log in with a passkey"
QUESTION = "What is your email address?"


class Phone:
    """The authenticator of a page."""

    def __init__(self, devtools: CDPSession, id_: str) -> None:
        self._devtools = devtools
        self._id = id_

    async def recognises(self, yes: bool) -> None:
        """From now on it recognises its owner, or nobody."""
        asked = {"authenticatorId": self._id, "isUserVerified": yes}
        await self._devtools.send("WebAuthn.setUserVerified", asked)

    async def keys(self) -> list[dict[str, Any]]:
        found = await self._devtools.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        keys: list[dict[str, Any]] = found["credentials"]
        return keys


@contextlib.asynccontextmanager
async def with_phone(
    browser: Browser, clinic: Clinic, path: str, **options: Any
) -> AsyncIterator[tuple[Page, Phone]]:
    """A page at an address that passkeys can belong to, in a browser with an authenticator."""
    async with opened(browser, clinic, at(clinic, path), **options) as page:
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable", {"enableUI": False})
        added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": PHONE})
        yield page, Phone(devtools, added["authenticatorId"])


def at(clinic: Clinic, path: str) -> str:
    return f"http://localhost:{clinic.settings.port}{path}"


async def adds(page: Page, name: str) -> None:
    await page.get_by_label("Name of a new passkey").fill(name)
    await page.keyboard.press("Enter")


async def test_one_is_added_and_used_by_keyboard_and_removed(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    async with with_phone(browser, shared, "/en/me") as (page, phone):
        await logged_in(page, shared, email)
        await page.reload()
        await adds(page, "my phone")
        await expect(page.get_by_text("From now on you can log in with it.")).to_be_visible()
        await accessible(page)
        [key] = await phone.keys()
        assert (key["isResidentCredential"], key["rpId"], key["userName"]) == (True, "localhost", email)

        await page.get_by_role("button", name="Log out", exact=True).click()
        await expect(page.get_by_role("heading", name=QUESTION)).to_be_visible()
        await accessible(page)
        await page.get_by_role("button", name=LOG_IN).press("Enter")
        await expect(page.get_by_role("heading", level=1, name="My details")).to_be_focused()
        await expect(page.get_by_text(re.compile("Added .* Last used"))).to_be_visible()

        await page.get_by_role("button", name="Remove: my phone").press("Enter")
        await expect(page.get_by_text("The passkey is removed.")).to_be_visible()
        await expect(page.get_by_text("my phone", exact=True)).to_have_count(0)
        await page.get_by_role("button", name="Log out", exact=True).click()
        await page.get_by_role("button", name=LOG_IN).press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("This passkey is not valid here.")


async def test_the_cookie_of_such_a_login_outlives_a_reload(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    async with with_phone(browser, shared, "/en/me") as (page, _):
        await logged_in(page, shared, email)
        await page.reload()
        await adds(page, "")
        await expect(page.get_by_role("button", name="Remove: Passkey")).to_be_visible()
        await page.get_by_role("button", name="Log out", exact=True).click()
        await page.get_by_role("button", name=LOG_IN).click()
        await expect(page.get_by_role("heading", level=1, name="My details")).to_be_visible()
        await page.goto(at(shared, "/en/appointments"))
        await expect(page.get_by_text("You have no upcoming appointments.")).to_be_visible()


async def test_nothing_happens_without_the_owner(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    async with with_phone(browser, shared, "/en/me") as (page, phone):
        await logged_in(page, shared, email)
        await page.reload()
        await phone.recognises(False)
        await adds(page, "a stranger's")
        await expect(page.get_by_text("No passkey was used.")).to_be_visible()
        assert await phone.keys() == []
        await phone.recognises(True)
        await adds(page, "mine")
        await expect(page.get_by_text("The passkey is added.")).to_be_visible()
        await adds(page, "mine again")
        await expect(page.get_by_text("You already have a passkey on this device.")).to_be_visible()

        await page.get_by_role("button", name="Log out", exact=True).click()
        await phone.recognises(False)
        await page.get_by_role("button", name=LOG_IN).click()
        await expect(page.get_by_role("alert")).to_have_text("No passkey was used.")
        await expect(page.get_by_role("heading", name=QUESTION)).to_be_visible()


async def test_a_login_that_is_too_old_is_asked_for_again(browser: Browser, shared: Clinic) -> None:
    email, headers = await registered(shared)
    async with with_phone(browser, shared, "/en/me") as (page, _):
        await logged_in(page, shared, email)
        me = (await shared.http.get("/v1/me", headers=headers)).json()
        await shared.postgres.execute(
            "UPDATE login.sessions SET begun_at = begun_at - $2::interval, "
            "authenticated_at = authenticated_at - $2::interval WHERE person_id = $1",
            me["id"],
            2 * RECENT,
        )
        await page.reload()
        await adds(page, "my phone")
        await expect(page.get_by_text("please log in again")).to_be_visible()
        challenge_id = await asked_for_code(page, email)
        await page.get_by_label(CODE, exact=True).fill(await code_of(shared, challenge_id))
        await page.keyboard.press("Enter")
        await adds(page, "my phone")
        await expect(page.get_by_role("button", name="Remove: my phone")).to_be_visible()


async def test_the_german_page_on_a_small_dark_screen(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    viewport = {"width": 320, "height": 800}
    async with with_phone(browser, shared, "/de/me", viewport=viewport, color_scheme="dark") as (page, _):
        await page.get_by_role("button", name="Mit einem Passkey anmelden").wait_for()
        await accessible(page)
        await logged_in(page, shared, email)
        await page.reload()
        await page.get_by_label("Name eines neuen Passkeys").fill("Donaudampfschifffahrtsgesellschaft" * 2)
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Ab jetzt können Sie sich damit anmelden.")).to_be_visible()
        await accessible(page)


async def test_where_they_cannot_work_they_are_not_offered(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    async with opened(browser, shared, "/en/me") as page:  # at an IP address, which is no domain
        await expect(page.get_by_role("heading", name=QUESTION)).to_be_visible()
        await expect(page.get_by_role("button", name=LOG_IN)).to_have_count(0)
        await logged_in(page, shared, email)
        await page.reload()
        await expect(page.get_by_role("heading", level=1, name="My details")).to_be_visible()
        await expect(page.get_by_role("heading", name="Passkeys")).to_have_count(0)


async def test_a_passkey_that_the_clinic_refused_is_not_kept(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    made: list[dict[str, Any]] = []
    async with with_phone(browser, shared, "/en/me") as (page, phone):

        async def refuse(route: Route) -> None:
            if route.request.method == "POST":
                made.extend(await phone.keys())
                problem = {"code": "store_unavailable", "status": 503}
                await route.fulfill(status=503, content_type="application/problem+json", json=problem)
            else:
                await route.fallback()

        async def none_left() -> bool:
            return not await phone.keys()

        await logged_in(page, shared, email)
        await page.reload()
        await page.route("**/v1/me/passkeys", refuse)
        await adds(page, "my phone")
        await expect(page.get_by_role("alert").last).to_contain_text("does not answer at the moment")
        await until_async(none_left, "the device has no passkey")
        assert len(made) == 1
        await page.unroute("**/v1/me/passkeys")
        await adds(page, "my phone")
        await expect(page.get_by_text("The passkey is added.")).to_be_visible()
        assert len(await phone.keys()) == 1
