"""Times that others take while somebody is choosing: the page is told of them, or asks."""

import re
from time import perf_counter

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.browser.looking import accessible, opened, times
from tests.browser.patients import logged_in, registered
from tests.clinic import Clinic
from tests.http.asking import booked, cancel

EVENTS = "**/availability/events"


async def stop_timers(page: Page) -> None:
    """From now on the page, whose clock is installed, asks for nothing by itself."""
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 1"))


async def test_a_time_that_somebody_takes_goes_and_focus_stays(browser: Browser, shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    first, _, other, *_ = await shared.slots(doctor_id)
    async with opened(browser, shared, "about:blank") as page:
        await page.clock.install()
        async with page.expect_request(EVENTS):
            await page.goto(f"/en/doctors/{doctor_id}?day={first[:10]}")
        link = page.get_by_role("button", name=re.compile(rf"{first[11:16]}$"))
        await link.focus()
        before = await times(page)
        await stop_timers(page)
        began = perf_counter()
        path = await booked(shared, patient.headers, doctor_id, first)
        gone = page.get_by_role("button", name=f"{first[11:16]}: taken by somebody else")
        await expect(gone).to_be_focused()
        print(f"booked, and crossed out on another's page, within {perf_counter() - began:.2f} s")
        await page.keyboard.press("Enter")
        assert doctor_id in page.url
        await expect(page.locator("[aria-live]").last).to_contain_text(first[11:16])
        assert first[11:16] not in await times(page)
        await page.clock.resume()
        await accessible(page)
        await stop_timers(page)
        await cancel(shared, path, patient.headers)
        await expect(link).to_be_visible()
        assert await times(page) == before
        assert other[11:16] in before


async def test_without_the_stream_the_page_asks(browser: Browser, shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    first, *_ = await shared.slots(doctor_id)
    async with opened(browser, shared, "about:blank") as page:
        await page.route(EVENTS, lambda route: route.abort())
        await page.clock.install()
        await page.goto(f"/en/doctors/{doctor_id}?day={first[:10]}")
        await expect(page.get_by_role("button", name=re.compile(rf"{first[11:16]}$"))).to_be_visible()
        await stop_timers(page)
        await booked(shared, patient.headers, doctor_id, first)
        await page.clock.resume()
        gone = page.get_by_role("button", name=f"{first[11:16]}: taken by somebody else")
        await expect(gone).to_be_visible()


async def test_eight_tabs_share_one_stream(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    async with opened(browser, shared, f"/en/doctors/{doctor_id}") as page:
        for _ in range(7):
            tab = await page.context.new_page()
            await tab.goto(f"/en/doctors/{doctor_id}")
            await expect(tab.locator(".slot").first).to_be_visible()
        await expect(page.locator(".slot").first).to_be_visible()


@pytest.mark.parametrize(
    "missing",
    [
        "delete window.BroadcastChannel",
        "delete window.EventSource",
        "Object.defineProperty(navigator, 'locks', {value: undefined})",
    ],
)
async def test_an_old_browser_is_told_all_the_same(browser: Browser, shared: Clinic, missing: str) -> None:
    doctor_id = await shared.doctor()
    first, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    async with opened(browser, shared, "about:blank") as page:
        await page.add_init_script(missing)
        await page.goto(f"/en/doctors/{doctor_id}?day={first[:10]}")
        await expect(page.get_by_role("button", name=re.compile(rf"{first[11:16]}$"))).to_be_visible()
        await booked(shared, headers, doctor_id, first)
        gone = page.get_by_role("button", name=f"{first[11:16]}: taken by somebody else")
        await expect(gone).to_be_visible()
        await logged_in(page, shared, email)
        await page.goto("/en/appointments")
        await expect(page.get_by_role("main").get_by_role("link", name=first[11:16])).to_be_visible()


async def test_another_week_keeps_the_stream(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    requests: list[Request] = []
    async with opened(browser, shared, "about:blank") as page:
        page.on("request", lambda request: requests.append(request))
        async with page.expect_request(EVENTS):
            await page.goto(f"/en/doctors/{doctor_id}")
        for _ in range(3):
            await expect(page.locator(".slot").first).to_be_visible()
            async with page.expect_response("**/availability?from=*"):
                await page.get_by_role("button", name="Week after").click()
        await expect(page.locator(".slot").first).to_be_visible()
        assert len([request for request in requests if request.url.endswith("/events")]) == 1
