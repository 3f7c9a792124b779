"""Logging in by mail code, after a time was chosen; and staying logged in, in all tabs."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import CLINIC
from tests.browser.looking import accessible, opened
from tests.browser.patients import CODE, asked_for_code, book_address, logged_in, registered
from tests.clinic import Clinic
from tests.http.asking import booked
from tests.http.login.logins import code_of, new_address, wrong

STORED = "JSON.stringify([{...localStorage}, {...sessionStorage}, location.href, document.cookie])"
REFRESH = "**/v1/auth/refresh"


async def test_a_newcomer_logs_in_by_keyboard_and_keeps_the_chosen_time(
    browser: Browser, shared: Clinic
) -> None:
    doctor_id = await shared.doctor(name="Dr. Newcomer")
    starts_at, *_ = await shared.slots(doctor_id)
    async with opened(browser, shared, book_address(doctor_id, starts_at)) as page:
        chosen = page.get_by_text("You have chosen:")
        await expect(chosen).to_contain_text(f"{starts_at[11:16]}, Dr. Newcomer")
        await accessible(page)
        await page.get_by_label("Email address").focus()
        challenge_id = await asked_for_code(page, new_address())
        await expect(chosen).to_contain_text(starts_at[11:16])
        field = page.get_by_label(CODE, exact=True)
        assert await field.get_attribute("autocomplete") == "one-time-code"
        await accessible(page)
        await page.keyboard.press("Tab")
        await expect(field).to_be_focused()
        code = await code_of(shared, challenge_id)
        await page.keyboard.insert_text(f" {code[:4]} {code[4:]}\n")  # as it may be pasted
        await page.keyboard.press("Enter")
        heading = page.get_by_role("heading", level=1, name="Book this appointment")
        await expect(heading).to_be_focused()
        await expect(page.get_by_role("main")).to_contain_text(starts_at[11:16])
        assert await page.evaluate(STORED) == f'[{{}},{{}},"{page.url}",""]'


async def test_a_wrong_code_leaves_tries_and_then_a_new_one_is_needed(
    browser: Browser, shared: Clinic
) -> None:
    async with opened(browser, shared, "/en/appointments") as page:
        await page.get_by_label("Email address").fill("nobody")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Please check the address.")).to_be_visible()
        await expect(page.get_by_label("Email address")).to_be_focused()
        challenge_id = await asked_for_code(page, new_address())
        await expect(
            page.get_by_text(re.compile(r"You can ask for a new code in \d+ seconds"))
        ).to_be_visible()
        field = page.get_by_label(CODE, exact=True)
        await field.fill("123")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("The code has 8 digits.")
        await field.fill(wrong(await code_of(shared, challenge_id)))
        for left in ("4 more tries", "3 more tries", "2 more tries", "1 more try"):
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text(left)
            await expect(field).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text(re.compile("no longer valid"))
        async with page.expect_response("**/v1/auth/challenges") as response:
            await page.get_by_role("button", name="Send a new code").click()
        newer = (await (await response.value).json())["challenge_id"]
        await expect(page.get_by_text("A new code is on its way.")).to_be_visible()
        # On a phone the page may be gone while the mail is read.
        await page.reload()
        await field.fill(await code_of(shared, newer))
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("You have no upcoming appointments.")).to_be_visible()


async def test_tabs_that_refresh_at_once_all_stay_logged_in(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    none = "You have no upcoming appointments."
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        tabs = [page, *[await page.context.new_page() for _ in range(3)]]
        for _ in range(2):
            for tab in tabs:
                # Begins to load, and goes on to the next tab.
                await tab.goto("/en/appointments", wait_until="commit")
            for tab in tabs:
                await expect(tab.get_by_text(none)).to_be_visible()


async def test_a_login_that_was_ended_elsewhere_is_asked_for_again(browser: Browser, shared: Clinic) -> None:
    email, headers = await registered(shared)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/appointments")
        await expect(page.get_by_text("You have no upcoming appointments.")).to_be_visible()
        sessions = (await shared.http.get("/v1/me/sessions", headers=headers)).json()["items"]
        for session in sessions:
            await shared.http.delete(f"/v1/me/sessions/{session['id']}", headers=headers)
        await page.reload()
        await expect(page.get_by_role("heading", level=1, name="What is your email address?")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "words"), [("en", "No email address?"), ("de", "Keine E-Mail-Adresse?")]
)
async def test_whoever_has_no_address_is_told_to_call(
    browser: Browser, shared: Clinic, language: str, words: str
) -> None:
    async with opened(browser, shared, f"/{language}/appointments") as page:
        told = page.locator("form", has=page.locator("#email")).get_by_text(words)
        phone = told.get_by_role("link", name=CLINIC["phone"].replace(" ", "\u00a0"))
        assert await phone.get_attribute("href") == "tel:+49305550100"
        await accessible(page)


async def test_another_time_is_chosen_and_the_code_still_counts(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    first, *_ = await shared.slots(doctor_id)
    email = new_address()
    async with opened(browser, shared, book_address(doctor_id, first)) as page:
        other_time = page.get_by_role("link", name="Choose another time")
        challenge_id = await asked_for_code(page, email)
        await other_time.press("Enter")
        await expect(page.get_by_role("radio", checked=True)).to_be_visible()
        assert page.url.endswith(f"/en/doctors/{doctor_id}?visit=checkup&day={first[:10]}")
        second = await page.locator(".slot strong").nth(2).inner_text()
        assert second != first[11:16]
        await page.locator(".slot").nth(2).press("Enter")
        await expect(page.get_by_text(f"to {email}")).to_be_visible()
        await expect(page.get_by_text("You have chosen:")).to_contain_text(second)
        await page.get_by_label(CODE, exact=True).fill(await code_of(shared, challenge_id))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1, name="Book this appointment")).to_be_focused()
        await expect(page.get_by_role("definition").first).to_contain_text(second)
        # The next one at this browser is not told whose it was.
        await page.get_by_role("link", name="My details").click()
        await page.get_by_role("button", name="Log out", exact=True).click()
        await expect(page.get_by_label("Email address")).to_have_value("")


async def test_a_move_is_still_one_at_another_time(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    starts_at, *_ = await shared.slots(doctor_id)
    _, headers = await registered(shared)
    path = await booked(shared, headers, doctor_id, starts_at)
    appointment_id = path.rpartition("/")[2]
    async with opened(browser, shared, f"{book_address(doctor_id, starts_at)}&move={appointment_id}") as page:
        await page.get_by_role("link", name="Choose another time").click()
        await expect(page.get_by_text("Your old one stays yours until the new one")).to_be_visible()
        assert page.url.endswith(f"&move={appointment_id}")
