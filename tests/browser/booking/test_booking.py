"""Booking a chosen time: exactly one appointment, whatever happens on the way."""

import asyncio
import re
from typing import Any

from playwright.async_api import Browser, Page, Request, Route, expect

from booking_worker.main import running_worker
from infra.settings import Settings
from tests.browser.conftest import CLINIC
from tests.browser.looking import accessible, opened
from tests.browser.patients import about_to_book, appointments, book_address, logged_in, registered
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic
from tests.http.asking import booked

APPOINTMENTS = re.compile(r"/v1/appointments$")


def book_button(page: Page) -> Any:
    return page.get_by_role("button", name="Book appointment")


async def is_booked(page: Page) -> None:
    await expect(page.get_by_role("heading", level=1, name="Your appointment is booked")).to_be_visible()


def keys(page: Page) -> list[str]:
    """Collects the idempotency keys of the bookings that the page sends."""
    found: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and APPOINTMENTS.search(request.url):
            found.append(request.headers["idempotency-key"])

    page.on("request", note)
    return found


async def test_a_newcomer_says_who_they_are_and_books(browser: Browser, shared: Clinic) -> None:
    async with about_to_book(browser, shared, name=None) as (page, headers, starts_at):
        await expect(page.get_by_text("This time is not reserved yet.")).to_be_visible()
        await accessible(page)
        await book_button(page).click()
        await expect(page.get_by_role("alert").first).to_contain_text("Please enter your name")
        await expect(page.get_by_label("Your first and last name")).to_be_focused()
        await page.keyboard.type("Erika Mustermann")
        await page.keyboard.press("Tab")
        await page.keyboard.type("My knee hurts.")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await is_booked(page)
        await expect(page.get_by_role("heading", level=1)).to_be_focused()
        await accessible(page)
        [appointment] = await appointments(shared, headers)
        assert page.url.endswith(f"/en/appointments/{appointment['id']}")
        assert appointment["starts_at"] == starts_at
    me = await shared.http.get("/v1/me", headers=headers)
    assert me.json()["name"] == "Erika Mustermann"


async def test_a_double_click_books_once(browser: Browser, shared: Clinic) -> None:
    async with about_to_book(browser, shared) as (page, headers, _):
        sent = keys(page)
        await book_button(page).dblclick()
        await is_booked(page)
    assert len(sent) == 1
    assert len(await appointments(shared, headers)) == 1


async def test_what_fails_on_the_way_is_sent_again_with_the_same_key(
    browser: Browser, shared: Clinic
) -> None:
    failures = [503, 429]

    async def fail(route: Route) -> None:
        if route.request.method == "POST" and failures:
            code = '{"code": "busy"}'
            await route.fulfill(
                status=failures.pop(),
                headers={"Retry-After": "1"},
                content_type="application/problem+json",
                body=code,
            )
        else:
            await route.continue_()

    async with about_to_book(browser, shared) as (page, headers, _):
        await page.route(APPOINTMENTS, fail)
        await expect(book_button(page)).to_be_visible()
        sent = keys(page)
        await page.context.set_offline(True)
        await book_button(page).click()
        await expect(page.get_by_text("There is no network connection.")).to_be_visible()
        await expect(page.get_by_text("We keep your request and send it")).to_be_visible()
        await accessible(page)
        await page.context.set_offline(False)
        await is_booked(page)
    assert failures == []
    assert len(sent) >= 3
    assert len(set(sent)) == 1
    assert len(await appointments(shared, headers)) == 1


async def test_a_reload_before_the_answer_is_the_same_booking(browser: Browser, shared: Clinic) -> None:
    async with about_to_book(browser, shared) as (page, headers, _):
        sent = keys(page)
        lost = asyncio.Event()

        async def lose_the_first_answer(route: Route) -> None:
            if lost.is_set():
                await route.continue_()
            else:
                await route.fetch()
                lost.set()

        await page.route(APPOINTMENTS, lose_the_first_answer)
        await page.get_by_label("Reason for your visit").fill("My knee hurts.")
        await book_button(page).click()
        await asyncio.wait_for(lost.wait(), 20)
        await page.reload()
        await is_booked(page)
    assert len(sent) == 2
    assert len(set(sent)) == 1
    assert len(await appointments(shared, headers)) == 1


async def test_the_queue_is_told_and_outlives_a_reload(
    browser: Browser, settings: Settings, template: str
) -> None:
    own = settings.model_copy(update=CLINIC)
    async with running_clinic(own, template, worker=False) as clinic:
        async with running_worker(clinic.settings):
            doctor_id = await clinic.doctor()
            starts_at, *_ = await clinic.slots(doctor_id)
            email, headers = await registered(clinic)
        async with opened(browser, clinic) as page:
            await logged_in(page, clinic, email)
            await page.goto(book_address(doctor_id, starts_at))
            await book_button(page).click()
            await expect(page.get_by_text("Sent.", exact=True)).to_be_visible()
            await expect(page.get_by_text("Sent. Yours is next.")).to_be_visible()
            await accessible(page)
            await page.reload()
            await expect(page.get_by_text("Sent. Yours is next.")).to_be_visible()
            async with running_worker(clinic.settings):
                await expect(page.get_by_text("Your appointment is booked")).to_be_visible()
                assert len(await appointments(clinic, headers)) == 1


async def test_a_time_that_is_gone_before_the_page_is_opened_is_refused(
    browser: Browser, shared: Clinic
) -> None:
    doctor_id = await shared.doctor()
    starts_at, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    await booked(shared, headers, doctor_id, starts_at)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto(book_address(doctor_id, starts_at, "de"))
        await page.get_by_role("button", name="Termin buchen").click()
        await expect(page.locator("#refusal")).to_be_focused()
        await expect(page.get_by_role("main").get_by_role("link", name="Anrufen")).to_be_visible()
        await accessible(page)


async def test_a_time_at_which_the_patient_is_busy_is_not_offered_again(
    browser: Browser, shared: Clinic
) -> None:
    async with about_to_book(browser, shared) as (page, headers, starts_at):
        await expect(book_button(page)).to_be_visible()
        await booked(shared, headers, await shared.doctor(), starts_at)
        await book_button(page).click()
        await expect(page.locator("#refusal")).to_be_focused()
        nearest = page.get_by_role("region").get_by_role("button")
        await expect(nearest).to_have_count(5)
        # A visit takes 30 minutes, and may begin each quarter of an hour.
        assert starts_at[11:16] == "08:00"
        assert not [
            text for text in await nearest.all_inner_texts() if re.search(r"Tomorrow.* 08:[01]", text)
        ]
        await nearest.first.click()
        await book_button(page).click()
        await is_booked(page)
