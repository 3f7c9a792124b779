"""Appointments of a patient: shown until their end, moved, cancelled, kept in a calendar."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from infra import clock
from tests.browser.looking import accessible, opened
from tests.browser.patients import appointments, book_address, logged_in, registered
from tests.clinic import Clinic
from tests.http.asking import booked, get, reschedule


async def test_an_appointment_is_moved_and_then_cancelled(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor(name="Dr. Mine")
    starts_at, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    path = await booked(shared, headers, doctor_id, starts_at)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/en/appointments")
        await page.get_by_role("main").get_by_role("link", name=starts_at[11:16]).press("Enter")
        await expect(page.get_by_role("heading", level=1, name="Your appointment")).to_be_focused()
        await page.get_by_role("link", name="Change the time").press("Enter")
        await expect(page.get_by_text("Your old one stays yours until the new one")).to_be_visible()
        await page.locator(".slot").last.press("Enter")
        await expect(page.get_by_text(f"Until now: Tomorrow, .*{starts_at[11:16]}")).to_have_count(0)
        await expect(
            page.get_by_text(re.compile(f"Until now: .*{starts_at[11:16]}, Dr. Mine"))
        ).to_be_visible()
        await accessible(page)
        [before] = await appointments(shared, headers)
        assert before["starts_at"] == starts_at
        await page.get_by_role("button", name="Move to this time").press("Enter")
        await expect(page.get_by_role("heading", name="Your appointment has been moved")).to_be_focused()
        [moved] = await appointments(shared, headers)
        assert (moved["id"], moved["version"]) == (before["id"], 2)
        assert moved["starts_at"] != starts_at
        await page.get_by_text("What has happened so far").click()
        entries = page.locator("details li")
        await expect(entries).to_have_text([re.compile("^You booked it"), re.compile("^You moved it")])
        await page.get_by_role("link", name="Cancel").press("Enter")
        await expect(page.get_by_role("heading", name="Cancel this appointment?")).to_be_focused()
        await accessible(page)
        await page.get_by_role("button", name="Yes, cancel it").press("Enter")
        await expect(page.get_by_role("heading", name="Your appointment is cancelled")).to_be_focused()
        await expect(page.get_by_text("Cancelled by you")).to_be_visible()
    assert (await shared.http.get(path, headers=headers)).json()["status"] == "cancelled"


async def test_what_somebody_else_changed_meanwhile_is_looked_at_again(
    browser: Browser, shared: Clinic
) -> None:
    doctor_id = await shared.doctor()
    first, second, third, wanted, *_ = (await shared.slots(doctor_id))[::4]
    email, headers = await registered(shared)
    path = await booked(shared, headers, doctor_id, first)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        refusal = page.get_by_role("heading", name="This appointment has been changed meanwhile.")
        main = page.get_by_role("main")

        id_ = path.rpartition("/")[2]
        await page.goto(f"{book_address(doctor_id, wanted)}&move={id_}")
        move = page.get_by_role("button", name="Move to this time")
        await expect(move).to_be_visible()
        await reschedule(shared, path, shared.staff, second)
        await move.press("Enter")
        await expect(refusal).to_be_focused()
        await expect(main.get_by_text(re.compile(f"Until now: .*{second[11:16]}"))).to_be_visible()
        await accessible(page)
        assert (await get(shared.http, path, headers))["starts_at"] == second
        await move.press("Enter")
        await expect(page.get_by_role("heading", name="Your appointment has been moved")).to_be_focused()
        assert (await get(shared.http, path, headers))["starts_at"] == wanted

        await page.get_by_role("link", name="Cancel").press("Enter")
        yes = page.get_by_role("button", name="Yes, cancel it")
        await expect(yes).to_be_visible()
        await reschedule(shared, path, shared.staff, third)
        await yes.press("Enter")
        await expect(refusal).to_be_focused()
        await expect(main.get_by_text(third[11:16])).to_be_visible()
        await accessible(page)
        assert (await get(shared.http, path, headers))["status"] == "booked"
        await yes.press("Enter")
        await expect(page.get_by_role("heading", name="Your appointment is cancelled")).to_be_focused()


async def test_the_calendar_entry_is_a_file(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    starts_at, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    path = await booked(shared, headers, doctor_id, starts_at)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto(f"/en{path.removeprefix('/v1')}")
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Add to my calendar").click()
        file = await download.value
        assert file.suggested_filename == "appointment.ics"
        assert (await file.path()).read_bytes().startswith(b"BEGIN:VCALENDAR")


async def test_when_it_is_too_late_the_phone_number_stands_there(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor(policy={"change_notice_minutes": 7 * 24 * 60})
    starts_at, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    path = await booked(shared, headers, doctor_id, starts_at)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto(f"/en{path.removeprefix('/v1')}")
        await expect(page.get_by_text("It is too late to change or cancel")).to_be_visible()
        main = page.get_by_role("main")
        await expect(main.get_by_role("link", name="Call +49 30 555 0100")).to_be_visible()
        await expect(main.get_by_role("link", name="Change the time")).to_have_count(0)
        await accessible(page)
        await page.goto(f"/en{path.removeprefix('/v1')}/cancel")
        await page.get_by_role("button", name="Yes, cancel it").click()
        await expect(page.locator("#refusal")).to_contain_text("It is too late to change this appointment")


async def test_a_visit_is_shown_until_its_end(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    first, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    path = await booked(shared, headers, doctor_id, first)
    await shared.postgres.execute(
        "UPDATE booking.appointments SET starts_at = $2, ends_at = $3, occupied = tstzrange($2, $3) "
        "WHERE id = $1",
        path.rpartition("/")[2],
        clock.now() - timedelta(minutes=10),
        clock.now() + timedelta(minutes=20),
    )
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto("/de/appointments")
        await expect(page.get_by_role("main").locator("li")).to_have_count(1)
        await expect(page.get_by_role("heading", name="Vergangene und abgesagte")).to_have_count(0)


async def test_another_patients_appointment_is_not_found(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    starts_at, *_ = await shared.slots(doctor_id)
    _, headers = await registered(shared)
    path = await booked(shared, headers, doctor_id, starts_at)
    email, _ = await registered(shared)
    async with opened(browser, shared) as page:
        await logged_in(page, shared, email)
        await page.goto(f"/en{path.removeprefix('/v1')}")
        await expect(page.get_by_text("We could not find what you are looking for.")).to_be_visible()
        await accessible(page)


@pytest.mark.parametrize(("language", "wrote"), [("en", "You wrote"), ("de", "Sie schrieben")])
async def test_what_the_patient_wrote_is_shown_as_text(
    browser: Browser, shared: Clinic, language: str, wrote: str
) -> None:
    doctor_id = await shared.doctor()
    first, _, second, *_ = await shared.slots(doctor_id)
    email, headers = await registered(shared)
    reason = f"<b>Knee</b> {'x' * 200}\nsince Monday"
    said = await booked(shared, headers, doctor_id, first, reason=reason)
    silent = await booked(shared, headers, doctor_id, second)
    async with opened(browser, shared, viewport={"width": 320, "height": 800}) as page:
        await logged_in(page, shared, email)
        await page.goto(f"/{language}{said.removeprefix('/v1')}")
        await expect(page.get_by_role("term").filter(has_text=wrote)).to_be_visible()
        assert await page.get_by_role("definition").last.inner_text() == reason
        await accessible(page)
        await page.goto(f"/{language}{silent.removeprefix('/v1')}")
        await expect(page.locator("dl")).to_be_visible()
        await expect(page.get_by_role("term").filter(has_text=wrote)).to_have_count(0)
