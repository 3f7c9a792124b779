"""The pages as an installed application: they open without a network, and keep nothing of the API."""

from collections.abc import Callable

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.looking import accessible, opened
from tests.browser.patients import logged_in, registered
from tests.clinic import Clinic
from tests.http.asking import booked, cancel, reschedule
from tests.waiting import until_async

CONTROLLED = "navigator.serviceWorker.ready.then(() => Boolean(navigator.serviceWorker.controller))"
KEPT = """caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name))))
    .then((all) => Promise.all(all.map((cache) => cache.keys())))
    .then((all) => all.flat().map((request) => new URL(request.url).pathname))"""


async def test_a_page_opens_without_a_network_and_says_so(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor(name="Dr. Offline")
    async with opened(browser, shared, "/en", service_workers="allow") as page:
        await expect(page.get_by_role("heading", name="Dr. Offline")).to_be_visible()
        await page.wait_for_function(CONTROLLED)
        await page.reload()
        await expect(page.get_by_role("heading", name="Dr. Offline")).to_be_visible()
        kept = await page.evaluate(KEPT)
        assert {"/en", "/de", "/clinic.css"} <= set(kept)
        assert not [path for path in kept if path.startswith("/v1")]
        await page.context.set_offline(True)
        await page.goto(f"/de/doctors/{doctor_id}")
        await expect(page.get_by_text("Sie haben gerade keine Internetverbindung.")).to_be_visible()
        await accessible(page)
        await page.context.set_offline(False)
        await expect(page.get_by_role("heading", name="Dr. Offline")).to_be_visible()


STORED = "({...localStorage})"
KEEP = "Keep my next appointment on this device"


async def with_appointment(page: Page, clinic: Clinic) -> tuple[str, str, dict[str, str]]:
    """A logged-in patient looks at their appointment: its time and path, and their headers."""
    doctor_id = await clinic.doctor(name="Dr. Kept")
    starts_at, *_ = await clinic.slots(doctor_id)
    email, headers = await registered(clinic)
    path = await booked(clinic, headers, doctor_id, starts_at)
    await page.wait_for_function(CONTROLLED)
    await logged_in(page, clinic, email)
    await page.goto(f"/en{path.removeprefix('/v1')}")
    await expect(page.get_by_label(KEEP)).not_to_be_checked()
    return starts_at, path, headers


async def until_stored(page: Page, is_right: Callable[[dict[str, str]], bool], awaited: str) -> None:
    # Playwright's own wait evaluates text in the page, which its security policy forbids.
    async def is_so() -> bool:
        return is_right(await page.evaluate(STORED))

    await until_async(is_so, awaited)


def kept(page: Page) -> Locator:
    return page.get_by_role("region", name="Your next appointment")


async def test_the_next_appointment_is_seen_offline_if_that_was_asked_for(
    browser: Browser, shared: Clinic
) -> None:
    options = {"service_workers": "allow", "locale": "en-GB"}
    async with opened(browser, shared, **options) as page:
        starts_at, path, headers = await with_appointment(page, shared)
        await page.context.set_offline(True)
        await page.goto("/")
        await expect(page.get_by_text("There is no network connection.")).to_be_visible()
        await expect(kept(page)).to_have_count(0)
        assert await page.evaluate(STORED) == {}
        await page.context.set_offline(False)
        await page.goto(f"/en{path.removeprefix('/v1')}")
        await page.get_by_label(KEEP).press("Space")
        await expect(page.get_by_label(KEEP)).to_be_checked()
        await until_stored(page, lambda stored: len(stored) == 1, "it is kept")

        await page.context.set_offline(True)
        for address in ("/", "/en/appointments"):
            await page.goto(address)
            await expect(kept(page)).to_contain_text(starts_at[11:16])
            await expect(kept(page)).to_contain_text("Dr. Kept")
            await accessible(page)

        await page.context.set_offline(False)
        *_, later = await shared.slots((await shared.http.get(path, headers=headers)).json()["doctor_id"])
        await reschedule(shared, path, headers, later)
        await page.goto("/en/appointments")
        await until_stored(page, lambda stored: later in str(stored), "the new time is kept")
        await cancel(shared, path, headers)
        await page.reload()
        await until_stored(page, lambda stored: [*stored.values()] == ["null"], "there is none")


@pytest.mark.parametrize("way", ["Log out", "Log out everywhere", "Yes, forget me", KEEP])
async def test_what_is_kept_goes_with_the_login_or_when_asked(
    browser: Browser, shared: Clinic, way: str
) -> None:
    async with opened(browser, shared, service_workers="allow") as page:
        await with_appointment(page, shared)
        await page.get_by_label(KEEP).press("Space")
        await until_stored(page, lambda stored: len(stored) == 1, "it is kept")
        await page.goto("/en/me/forget" if "forget" in way else "/en/me")
        chosen = page.get_by_role("button", name=way, exact=True).or_(page.get_by_label(way, exact=True))
        await chosen.press("Space")
        await until_stored(page, lambda stored: not stored, "nothing is kept")
        await page.context.set_offline(True)
        await page.goto("/en")
        await expect(page.get_by_text("There is no network connection.")).to_be_visible()
        await expect(kept(page)).to_have_count(0)


async def test_it_can_be_installed(browser: Browser, shared: Clinic) -> None:
    async with opened(browser, shared, service_workers="allow") as page:
        client = await page.context.new_cdp_session(page)
        found = await client.send("Page.getAppManifest")
        assert found["errors"] == []
        assert shared.settings.name in found["data"]
        errors = (await client.send("Page.getInstallabilityErrors"))["installabilityErrors"]
        assert [error["errorId"] for error in errors if error["errorId"] != "in-incognito"] == []
