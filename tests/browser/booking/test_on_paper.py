"""A confirmation is printed, copied and photographed: it says the whole date, on the day itself, too."""

from datetime import datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from tests.browser.patients import about_to_book, appointments
from tests.clinic import Clinic

DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
}
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}
PRINT = {"en": "Print", "de": "Drucken"}


def written(time: datetime, language: str) -> str:
    """Weekday, date and time as they are written in a language."""
    day = DAYS[language].split()[time.weekday()]
    month = MONTHS[language].split()[time.month - 1]
    if language == "de":
        return f"{day}, {time.day}. {month} {time.year}, {time:%H:%M} Uhr"
    return f"{day} {time.day} {month} {time.year}, {time:%H:%M}"


@pytest.mark.parametrize("language", ["en", "de"])
async def test_the_date_is_there_on_the_day_itself(browser: Browser, shared: Clinic, language: str) -> None:
    async with about_to_book(browser, shared) as (page, headers, starts_at):
        starts = datetime.fromisoformat(starts_at)
        await page.clock.set_fixed_time(starts - timedelta(hours=1))
        await page.goto(page.url.replace("/en/", f"/{language}/"))
        await page.locator("form .button").click()
        await expect(page.get_by_role("button", name=PRINT[language])).to_be_visible()
        time = page.get_by_role("definition").first
        await expect(time).to_have_text(written(starts, language))
        await page.emulate_media(media="print")
        await expect(time).to_be_visible()
        await page.emulate_media(media="screen")
        [appointment] = await appointments(shared, headers)
        await page.goto(f"/{language}/appointments/{appointment['id']}")
        await expect(time).to_have_text(written(starts, language))
