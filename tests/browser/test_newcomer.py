"""The way of a newcomer: from the first page to the mail that confirms the visit, as on a fresh `make up`."""

from playwright.async_api import Browser, expect

from infra.keys import Keys
from notifier.main import running_notifier
from ops.embedded import EmbeddedStack
from tests.browser.inbox import Inbox
from tests.browser.looking import accessible, opened
from tests.clinic import Clinic
from tests.http.login.logins import new_address

LINK = r"https?://\S+/en/\S+"


async def test_a_newcomer_finds_a_time_logs_in_books_and_comes_back_by_the_mail(
    browser: Browser, shared: Clinic, stack: EmbeddedStack
) -> None:
    await shared.doctor(name="Dr. Welcome", specialty="Welcoming")
    address = new_address()
    inbox = Inbox(stack, address)
    async with running_notifier(shared.settings), opened(browser, shared, "/") as page:
        await page.get_by_role("link", name="Choose a time with Dr. Welcome").click()
        await page.locator(".slot").last.click()
        await page.get_by_label("Email address").fill(address)
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("This is a demo: mails stay on this computer.")).to_be_visible()
        await page.get_by_label("Code", exact=True).fill(await inbox.code())
        await page.keyboard.press("Enter")
        await page.get_by_label("Your first and last name").fill("Nina Neu")
        await page.get_by_role("button", name="Book appointment").click()
        await expect(page.get_by_role("heading", name="Your appointment is booked")).to_be_visible()
        await page.goto(await inbox.finds(LINK))
        await expect(page.get_by_role("heading", level=1, name="Your appointment")).to_be_visible()
        await expect(page.get_by_role("main")).to_contain_text("Dr. Welcome")


async def test_reminders_are_ended_on_a_page_like_the_others(browser: Browser, shared: Clinic) -> None:
    patient = await shared.patient()
    token = Keys.load(shared.settings).sign_unsubscribe(patient.id)
    async with opened(browser, shared, f"/v1/unsubscribe/{token}", color_scheme="dark") as page:
        await accessible(page)
        await page.get_by_role("button", name="Stop reminders").press("Enter")
        await expect(page.get_by_role("status")).to_be_visible()
        await accessible(page)
        await page.get_by_role("link", name=shared.settings.name).click()
        await expect(page.get_by_role("heading", level=1, name="Book an appointment")).to_be_visible()
