"""The link by which a calendar program follows a patient's appointments."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.looking import HEIGHT, LANGUAGES, accessible, opened
from tests.browser.patients import logged_in, registered
from tests.browser.test_me import let_the_login_be_old, logs_in_again
from tests.clinic import Clinic
from tests.http.asking import booked, get

FEED = re.compile(r"/v1/feeds/[\w-]{43}\.ics$")


def link(page: Page) -> Any:
    return page.get_by_label("Your private link")


async def test_it_is_made_copied_renewed_and_withdrawn_by_keyboard(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    email, headers = await registered(shared)
    await booked(shared, headers, doctor_id, (await shared.slots(doctor_id))[0])
    async with opened(browser, shared, permissions=["clipboard-read", "clipboard-write"]) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/appointments")
        make = page.get_by_role("button", name="Make a private link")
        await make.press("Enter")
        await expect(link(page)).to_have_value(FEED)
        await accessible(page)
        url = await link(page).input_value()
        await page.get_by_role("button", name="Copy", exact=True).press("Enter")
        await expect(page.get_by_text("Copied.")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == url
        opening = page.get_by_role("link", name="Open in my calendar")
        assert await opening.get_attribute("href") == url.replace("http:", "webcal:")
        answer = await shared.http.get(url)
        assert answer.text.count("BEGIN:VEVENT") == 1

        await page.reload()
        await expect(page.get_by_text("There is a private link")).to_be_visible()
        await expect(link(page)).to_have_count(0)
        assert url not in await page.content()
        await accessible(page)
        await page.get_by_role("button", name="Make a new link").press("Enter")
        await expect(link(page)).to_have_value(FEED)
        assert (await shared.http.get(url)).status_code == 404
        renewed = await link(page).input_value()

        await page.get_by_role("button", name="Withdraw the link").press("Enter")
        await expect(page.get_by_text("The link is withdrawn.")).to_be_visible()
        await expect(make).to_be_visible()
        await accessible(page)
        assert (await shared.http.get(renewed)).status_code == 404
    assert await get(shared.http, "/v1/me/calendar-link", headers) == {"made_at": None}


async def test_without_a_clipboard_the_text_is_marked(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        await page.goto("/en/appointments")
        await page.get_by_role("button", name="Make a private link").click()
        await page.get_by_role("button", name="Copy", exact=True).click()
        await expect(page.get_by_text("Please copy the marked text.")).to_be_visible()
        marked = "(input) => input.value.slice(input.selectionStart, input.selectionEnd)"
        assert await link(page).evaluate(marked) == await link(page).input_value()


async def test_it_needs_a_recent_login(browser: Browser, shared: Clinic) -> None:
    email, headers = await registered(shared)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await let_the_login_be_old(shared, headers)
        await page.goto("/en/appointments")
        make = page.get_by_role("button", name="Make a private link")
        await make.click()
        await logs_in_again(page, shared, email)
        await make.click()
        await expect(link(page)).to_have_value(FEED)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "theme"), [(320, "light"), (1440, "dark")])
async def test_it_is_accessible_in_each_state(
    browser: Browser, shared: Clinic, language: str, width: int, theme: str
) -> None:
    email, _ = await registered(shared)
    viewport = {"width": width, "height": HEIGHT}
    async with opened(browser, shared, viewport=viewport, color_scheme=theme) as page:
        await logged_in(page, shared, email)
        await page.goto(f"/{language}/appointments")
        section = page.get_by_role("region").filter(has=page.locator("#subscription"))
        await section.get_by_role("button").click()
        await expect(page.locator("#link")).to_be_visible()
        await accessible(page)
        await page.reload()
        await expect(section.get_by_role("button")).to_have_count(2)
        await accessible(page)
