"""A booking that could not be sent is kept: for its own patient, until the page is left."""

import re

from playwright.async_api import Browser, Route, expect

from tests.browser.booking.test_booking import APPOINTMENTS, book_button, is_booked, keys
from tests.browser.patients import about_to_book, appointments, logged_in, registered
from tests.clinic import Clinic


async def test_what_one_patient_began_is_not_the_next_ones(browser: Browser, shared: Clinic) -> None:
    second, seconds = await registered(shared)
    async with about_to_book(browser, shared) as (page, firsts, _):
        reason = page.get_by_label("Reason for your visit")
        await reason.fill("Something private.")
        await page.route(APPOINTMENTS, lambda route: route.abort())
        await book_button(page).click()
        await expect(page.get_by_text("We keep your request")).to_be_visible()
        await logged_in(page, shared, second)
        await page.unroute(APPOINTMENTS)
        sent = keys(page)
        await page.reload()
        await expect(reason).to_have_value("")
        await expect(book_button(page)).to_be_enabled()
        assert sent == []
    assert await appointments(shared, firsts) == await appointments(shared, seconds) == []


async def test_leaving_the_page_drops_what_was_not_sent(browser: Browser, shared: Clinic) -> None:
    async with about_to_book(browser, shared) as (page, headers, _):
        await expect(book_button(page)).to_be_enabled()
        sent = keys(page)
        await page.context.set_offline(True)
        await book_button(page).click()
        await expect(page.get_by_text("We keep your request")).to_be_visible()
        await page.get_by_role("link", name="My appointments").first.click()
        await expect(page).to_have_url(re.compile("/en/appointments"))
        await page.context.set_offline(False)
        sent.clear()
        await page.go_back()
        await expect(book_button(page)).to_be_enabled()
        await expect(page.get_by_text("Sending")).to_be_hidden()
        assert sent == []
    assert await appointments(shared, headers) == []


async def test_a_clinic_that_is_busy_for_long_does_not_make_a_second_booking(
    browser: Browser, shared: Clinic
) -> None:
    async with about_to_book(browser, shared) as (page, headers, _):
        sent, tries = keys(page), 0

        async def lose_the_answer_and_be_busy(route: Route) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                await route.fetch()
                await route.abort()
            elif tries == 2:
                busy = {"code": "busy", "status": 503, "title": "", "detail": "", "type": "about:blank"}
                await route.fulfill(
                    status=503,
                    headers={"Retry-After": "45"},
                    json=busy,
                    content_type="application/problem+json",
                )
            else:
                await route.continue_()

        await page.route(APPOINTMENTS, lose_the_answer_and_be_busy)
        await book_button(page).click()
        retry = page.get_by_role("button", name="Try again")
        await expect(retry).to_be_visible()
        async with page.expect_response(APPOINTMENTS) as response:
            await retry.click()
        assert (await response.value).status == 503
        await expect(page.get_by_text("We keep your request")).to_be_visible()
        await retry.click()
        await is_booked(page)
    assert len(set(sent)) == 1
    assert len(await appointments(shared, headers)) == 1
