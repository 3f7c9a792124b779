"""An hour that the clock shows twice: wherever one of its times is shown, its offset is, too."""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Locator, expect

from infra import clock
from tests.browser.looking import accessible, opened, times
from tests.browser.patients import logged_in, registered
from tests.clinic import Clinic

BOOKED = {"en": "Your appointment is booked", "de": "Ihr Termin ist gebucht"}
AHEAD_DAYS = 400


def day_of_change(zone: str) -> date:
    """The next day on which the clocks of the zone go back."""

    def offset(day: date) -> timedelta:
        at_noon = datetime.combine(day, time(12), ZoneInfo(zone)).utcoffset()
        assert at_noon is not None
        return at_noon

    days = [clock.now().date() + timedelta(days=ahead) for ahead in range(2, AHEAD_DAYS)]
    return next(day for day in days if offset(day) < offset(day - timedelta(days=1)))


async def says(element: Locator, text: str) -> None:
    await expect(element.first).to_contain_text(re.compile(rf"{re.escape(text)}(?![\d:])"))


@pytest.mark.parametrize(
    ("zone", "language", "hour", "first", "second"),
    [
        ("Europe/Berlin", "de", 2, "GMT+2", "GMT+1"),
        ("America/New_York", "en", 1, "GMT-4", "GMT-5"),
    ],
)
async def test_each_place_that_shows_its_times_has_their_offset(
    browser: Browser, shared: Clinic, zone: str, language: str, hour: int, first: str, second: str
) -> None:
    change = day_of_change(zone)
    night = {"weekday": change.isoweekday(), "starts": f"{hour:02}:00", "ends": f"{hour + 1:02}:30"}
    doctor_id = await shared.doctor(
        [{**night, "valid_from": str(change), "valid_until": str(change)}],
        name=f"Dr. {zone}",
        time_zone=zone,
        policy={"horizon_days": AHEAD_DAYS, "slot_minutes": 30},
    )
    half = f"{hour:02}:30"
    uhr = " Uhr" if language == "de" else ""
    email, _ = await registered(shared)
    async with opened(browser, shared, f"/{language}", timezone_id="Asia/Kathmandu") as page:
        card = page.get_by_role("listitem").filter(has_text=f"Dr. {zone}")
        await says(card, f"{hour:02}:00{uhr} {first}")
        await logged_in(page, shared, email)
        await page.goto(f"/{language}/doctors/{doctor_id}")
        await expect(page.locator(".slot").first).to_be_visible()
        assert await times(page) == [
            *(f"{hour:02}:{minute:02} {offset}" for offset in (first, second) for minute in (0, 30)),
            f"{hour + 1:02}:00",
        ]
        await accessible(page)
        slot = page.locator(".slot").filter(has_text=f"{half} {second}")
        assert (await slot.get_attribute("aria-label") or "").startswith(
            await page.locator("#time-heading").inner_text() + f", {half}{uhr} {second}"
        )
        await slot.click()
        await says(page.locator(".note strong, dd strong"), f"{half}{uhr} {second}")
        await page.locator("form button.button").click()
        await expect(page.get_by_role("heading", level=1, name=BOOKED[language])).to_be_visible()
        await says(page.locator("dd strong"), f"{half}{uhr} {second}")
        await page.locator("summary").click()
        await says(page.locator("details li"), f"{half}{uhr} {second}")
        await accessible(page)
        address = page.url
        await page.goto(f"/{language}/appointments")
        await says(page.get_by_role("main").get_by_role("listitem"), f"{half}{uhr} {second}")
        await page.goto(f"{address}/cancel")
        await says(page.locator("dd strong"), f"{half}{uhr} {second}")


async def test_ones_own_hour_that_comes_twice_has_its_offset(browser: Browser, shared: Clinic) -> None:
    change = day_of_change("Pacific/Auckland")
    # Midnight in Berlin is 11:00 or 12:00 in Auckland; its night is the afternoon of the day before.
    doctor_id = await shared.doctor(policy={"horizon_days": AHEAD_DAYS})
    path = f"/en/doctors/{doctor_id}?day={change - timedelta(days=1)}"
    async with opened(browser, shared, path, timezone_id="Pacific/Auckland") as page:
        own = page.locator(".slot .small")
        await expect(own.first).to_be_visible()
        texts = await own.all_inner_texts()
    assert [text for text in texts if " 02:30" in text] == [
        "Sun 02:30 GMT+13 your time",
        "Sun 02:30 GMT+12 your time",
    ]
