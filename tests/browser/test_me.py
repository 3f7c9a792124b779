"""A patient's own details: changed, saved as a file, logged out everywhere, forgotten."""

import json

from playwright.async_api import Browser, Page, expect

from infra.tokens import RECENT
from notifier.main import running_notifier
from ops.embedded import EmbeddedStack
from tests.browser.inbox import Inbox
from tests.browser.looking import accessible, opened
from tests.browser.patients import CODE, appointments, asked_for_code, logged_in, registered, sent
from tests.clinic import Clinic
from tests.http.asking import booked
from tests.http.login.logins import code_of, log_in, new_address, wrong

UNDO_LINK = r"https?://\S+/v1/undo/\S+"


async def let_the_login_be_old(clinic: Clinic, headers: dict[str, str]) -> None:
    me = (await clinic.http.get("/v1/me", headers=headers)).json()
    await clinic.postgres.execute(
        "UPDATE login.sessions SET begun_at = begun_at - $2::interval, "
        "authenticated_at = authenticated_at - $2::interval WHERE person_id = $1",
        me["id"],
        2 * RECENT,
    )


async def logs_in_again(page: Page, clinic: Clinic, email: str) -> None:
    """What the page asks for where the login is too old."""
    await expect(page.get_by_text("please log in again")).to_be_visible()
    challenge_id = await asked_for_code(page, email)
    await page.get_by_label(CODE, exact=True).fill(await code_of(clinic, challenge_id))
    await page.keyboard.press("Enter")


async def test_details_are_changed_and_stay_so(browser: Browser, shared: Clinic) -> None:
    email, headers = await registered(shared, phone="+49301234567")
    async with opened(browser, shared, "/de") as page:
        await logged_in(page, shared, email)
        await page.get_by_role("link", name="Meine Daten").click()
        await expect(page.get_by_role("heading", level=1, name="Meine Daten")).to_be_focused()
        await page.get_by_label("Ihr Vor- und Nachname").fill("Max Mustermann")
        await page.get_by_label("Deutsch").check()
        await page.get_by_label("Per SMS an +49301234567").check()
        await page.get_by_label("An meine Termine erinnern").uncheck()
        await page.get_by_role("button", name="Speichern", exact=True).press("Enter")
        await expect(page.get_by_text("Gespeichert.")).to_be_visible()
        await accessible(page)
        await page.reload()
        await expect(page.get_by_label("Ihr Vor- und Nachname")).to_have_value("Max Mustermann")
        await expect(page.get_by_label("An meine Termine erinnern")).not_to_be_checked()
    me = (await shared.http.get("/v1/me", headers=headers)).json()
    assert (me["name"], me["language"], me["channel"]) == ("Max Mustermann", "de", "sms")
    assert me["reminders"] is False


async def test_the_mail_address_is_changed_by_keyboard_with_the_code_that_was_mailed_there(
    browser: Browser, shared: Clinic, stack: EmbeddedStack
) -> None:
    email, headers = await registered(shared)
    newer = new_address()
    async with running_notifier(shared.settings), opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/me")
        await page.get_by_role("link", name="Change email address").press("Enter")
        await expect(page.get_by_role("heading", name="What is your new email address?")).to_be_focused()
        await accessible(page)
        await page.keyboard.press("Tab")
        await page.keyboard.type(newer)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Enter the code from our email")).to_be_focused()
        await expect(page.get_by_text(newer)).to_be_visible()
        await accessible(page)
        field = page.get_by_label(CODE, exact=True)
        assert await field.get_attribute("autocomplete") == "one-time-code"
        await page.keyboard.press("Tab")
        await expect(field).to_be_focused()
        code = await Inbox(stack, newer).code()
        await page.keyboard.insert_text(f" {code[:4]} {code[4:]}\n")  # as it may be pasted
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Your email address is changed")).to_be_focused()
        await expect(page.get_by_role("main").get_by_text(newer)).to_be_visible()
        await accessible(page)
        await Inbox(stack, email).finds(UNDO_LINK)
    assert (await shared.http.get("/v1/me", headers=headers)).json()["email"] == newer


async def test_what_was_typed_outlives_a_login_that_is_too_old(browser: Browser, shared: Clinic) -> None:
    email, headers = await registered(shared)
    number = "0049 (30) 123 45-67"
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await let_the_login_be_old(shared, headers)
        await page.goto("/en/me/phone")
        field = page.get_by_label("Phone number")
        await field.fill("030 1234567")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Please check the number.")
        await expect(field).to_be_focused()
        await field.fill(number)
        await page.keyboard.press("Enter")
        await logs_in_again(page, shared, email)
        await expect(page.get_by_role("heading", name="What is your new phone number?")).to_be_focused()
        await expect(field).to_have_value(number)
        await field.focus()
        challenge_id = await sent(page, "/v1/me/phone")
        code = await code_of(shared, challenge_id)
        await expect(page.get_by_text("You can ask for a new code in")).to_be_visible()
        await page.get_by_label(CODE, exact=True).fill(wrong(code))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("4 more tries")
        await accessible(page)
        await page.reload()
        await page.get_by_label(CODE, exact=True).fill(code)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Your phone number is changed")).to_be_focused()
        await expect(page.get_by_label("By text message to +49301234567")).to_be_visible()
    assert (await shared.http.get("/v1/me", headers=headers)).json()["phone"] == "+49301234567"


async def test_somebody_elses_address_is_refused_and_another_one_can_be_given(
    browser: Browser, shared: Clinic
) -> None:
    (email, headers), (theirs, _) = await registered(shared), await registered(shared)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/me/email")
        field = page.get_by_label("Email address")
        await field.fill(theirs)
        challenge_id = await sent(page, "/v1/me/email")
        await page.get_by_label(CODE, exact=True).fill(await code_of(shared, challenge_id))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("Somebody else has this email address.")
        await page.get_by_role("button", name="Use another email address").press("Enter")
        await expect(page.get_by_role("heading", name="What is your new email address?")).to_be_focused()
        await expect(field).to_have_value(theirs)
    assert (await shared.http.get("/v1/me", headers=headers)).json()["email"] == email


async def test_all_data_is_saved_as_a_file_after_a_recent_login(browser: Browser, shared: Clinic) -> None:
    email, headers = await registered(shared)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await let_the_login_be_old(shared, headers)
        await page.goto("/en/me")
        save = page.get_by_role("button", name="Save as a file")
        await save.press("Enter")
        await logs_in_again(page, shared, email)
        async with page.expect_download() as download:
            await save.press("Enter")
        file = await download.value
        assert file.suggested_filename == "my-data.json"
        assert json.loads((await file.path()).read_bytes())["patient"]["email"] == email


async def test_another_login_is_ended_and_then_all_are(browser: Browser, shared: Clinic) -> None:
    email, _ = await registered(shared)
    other = await log_in(shared, email)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/me")
        tab = await page.context.new_page()
        await tab.goto("/en/appointments")
        await expect(tab.get_by_text("You have no upcoming appointments.")).to_be_visible()
        await page.get_by_role("button", name="End", exact=True).click()
        await expect(page.get_by_text("In another browser")).to_have_count(0)
        assert (await shared.http.get("/v1/me", headers=other.headers)).status_code == 401
        await page.get_by_role("button", name="Log out everywhere").click()
        for each in (page, tab):
            await expect(each.get_by_role("heading", name="What is your email address?")).to_be_visible()


async def test_a_patient_is_forgotten_after_a_question(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    starts_at, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    await booked(shared, headers, doctor_id, starts_at)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/me")
        await page.get_by_role("link", name="Forget me").press("Enter")
        await expect(page.get_by_role("heading", name="Should we forget you?")).to_be_focused()
        await expect(page.get_by_text("for seven years")).to_be_visible()
        await accessible(page)
        assert len(await appointments(shared, headers)) == 1
        await let_the_login_be_old(shared, headers)
        await page.reload()
        await page.get_by_role("button", name="Yes, forget me").press("Enter")
        await logs_in_again(page, shared, email)
        await page.get_by_role("button", name="Yes, forget me").press("Enter")
        await expect(page.get_by_role("heading", name="We have forgotten you")).to_be_focused()
        await accessible(page)
        await page.goto("/en/me")
        await expect(page.get_by_role("heading", name="What is your email address?")).to_be_visible()
    known = await shared.http.get("/v1/patients", params={"email": email}, headers=shared.staff)
    assert known.json()["items"] == []
