"""The ways of patients through the pages, by keyboard alone: each page as it is read, and the tabs counted.

After a change that is meant, `CLINIC_WRITE_SNAPSHOTS=1` has the snapshots written anew.
"""

import re

from playwright.async_api import Browser, expect

from tests.browser.flows.reading import Reader
from tests.browser.looking import opened
from tests.browser.patients import appointments, logged_in, registered, sent
from tests.clinic import Clinic
from tests.http.asking import booked
from tests.http.login.logins import code_of, new_address

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT = [{"weekday": day, "starts": "09:00", "ends": "10:00"} for day in range(1, 8)]
POLICY = {"slot_minutes": 30}
# From the first page to the confirmation, from the list to the cancellation, from the details to the new one.
BOOKING_TABS, MINE_TABS, ME_TABS = 12, 5, 5


async def test_a_newcomer_finds_a_time_logs_in_and_books(browser: Browser, clinic: Clinic) -> None:
    await clinic.doctor(SHORT, name="Dr. Flow", specialty="Flows", policy=POLICY)
    async with opened(browser, clinic, "/en?specialty=Flows") as page:
        reader = Reader(page)
        await expect(page.get_by_role("heading", name="Dr. Flow")).to_be_visible()
        await reader.reads("header", "header")
        await reader.reads("footer", "footer")
        await reader.reads("find")
        await reader.tab_to("Skip to the content", 1)
        await reader.press("Enter")
        await reader.tab_to("Choose a time with Dr. Flow", 3)
        await reader.press("Enter")

        await reader.arrives("Dr. Flow")
        await expect(page.locator(".slot").first).to_be_visible()
        await reader.tab_to(r"free times?$", 3)
        # The same days of the week in each run: the Monday of the week after next.
        day = await page.get_by_role("radio", checked=True).get_attribute("aria-label") or ""
        back = WEEKDAYS.index(day.split()[0])
        await reader.press("PageDown", "PageDown", *["ArrowLeft"] * back)
        await expect(page.get_by_role("radio", name=re.compile("^Monday.*: 2 free times"))).to_be_focused()
        await expect(page.locator(".slot")).to_have_count(2)
        await reader.reads("times")
        await reader.tab_to(r"\d\d:\d\d$", 2)
        await reader.press("Enter")

        await reader.arrives("What is your email address?")
        await reader.reads("login-address")
        await reader.tab_to("Email address", 1)
        await page.keyboard.type(new_address())
        challenge_id = await sent(page, "/v1/auth/challenges")
        await reader.arrives("Enter the code from our email")
        await reader.reads("login-code")
        await reader.tab_to("Code", 1)
        await page.keyboard.type(await code_of(clinic, challenge_id))
        await reader.press("Enter")

        await reader.arrives("Book this appointment")
        await expect(page.get_by_label("Your first and last name")).to_be_visible()
        await reader.reads("book")
        await reader.tab_to("Your first and last name", 1)
        await page.keyboard.type("Nina Neu")
        await reader.tab_to("Book appointment", 2)
        await reader.press("Enter")
        await reader.arrives("Your appointment is booked")
        await expect(page.get_by_text("What has happened so far")).to_be_visible()
        await reader.reads("booked")
        print(f"booked with {reader.tabs} tabs")
        assert reader.tabs <= BOOKING_TABS


async def test_an_appointment_is_looked_at_and_cancelled(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor(SHORT, name="Dr. Flow", specialty="Flows", policy=POLICY)
    starts_at, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    await booked(shared, headers, doctor_id, starts_at)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/appointments")
        await expect(page.get_by_text("Dr. Flow")).to_be_visible()
        await expect(page.get_by_role("button", name="Make a private link")).to_be_visible()
        reader = Reader(page)
        await reader.reads("appointments")
        await reader.tab_to("Skip to the content", 1)
        await reader.press("Enter")
        await reader.tab_to(starts_at[11:16], 1)
        await reader.press("Enter")
        await reader.arrives("Your appointment")
        await expect(page.get_by_text("What has happened so far")).to_be_visible()
        await reader.reads("appointment")
        await reader.tab_to("^Cancel$", 2)
        await reader.press("Enter")
        await reader.arrives("Cancel this appointment?")
        await expect(page.get_by_text("Check-up")).to_be_visible()
        await reader.reads("cancel")
        await reader.tab_to("Yes, cancel it", 1)
        await reader.press("Enter")
        await reader.arrives("Your appointment is cancelled")
        await expect(page.get_by_text("What has happened so far")).to_be_visible()
        await reader.reads("cancelled")
        print(f"cancelled with {reader.tabs} tabs")
        assert reader.tabs <= MINE_TABS
    [appointment] = await appointments(shared, headers)
    assert appointment["status"] == "cancelled"


async def test_a_phone_number_is_added_to_the_details(browser: Browser, shared: Clinic) -> None:
    email, headers = await registered(shared)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/me")
        await expect(page.get_by_text("Here, in this browser")).to_be_visible()
        reader = Reader(page)
        await reader.reads("me")
        await reader.tab_to("Skip to the content", 1)
        await reader.press("Enter")
        await reader.tab_to("Add a phone number", 2)
        await reader.press("Enter")
        await reader.arrives("What is your new phone number?")
        await reader.reads("me-phone")
        await reader.tab_to("Phone number", 1)
        await page.keyboard.type("+49 30 7654321")
        challenge_id = await sent(page, "/v1/me/phone")
        await reader.arrives("Enter the code that we have sent you")
        await reader.reads("me-phone-code")
        await reader.tab_to("Code", 1)
        await page.keyboard.type(await code_of(shared, challenge_id))
        await reader.press("Enter")
        await reader.arrives("Your phone number is changed")
        print(f"added a phone number with {reader.tabs} tabs")
        assert reader.tabs <= ME_TABS
        for address, heading in (
            ("email", "What is your new email address?"),
            ("forget", "Should we forget you?"),
        ):
            await page.goto(f"/en/me/{address}")
            await expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
            await reader.reads(f"me-{address}")
    assert (await shared.http.get("/v1/me", headers=headers)).json()["phone"] == "+49307654321"
