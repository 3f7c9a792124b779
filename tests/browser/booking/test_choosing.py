"""Finding a doctor and choosing a time: far away, without a network, with names of all kinds."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Route, expect

from infra import clock
from tests.browser.looking import accessible, opened
from tests.clinic import Clinic

MARKUP = "<img src=x onerror=alert(1)> Dr. <b>Bold</b>"


@pytest.mark.parametrize(
    ("zone", "is_shown"),
    [
        ("Europe/Berlin", False),
        ("Europe/Paris", False),
        ("America/New_York", True),
        ("Pacific/Auckland", True),
        ("Asia/Kathmandu", True),
    ],
)
async def test_ones_own_time_is_shown_where_it_differs(
    browser: Browser, shared: Clinic, zone: str, is_shown: bool
) -> None:
    doctor_id = await shared.doctor()
    first, *_ = await shared.slots(doctor_id)
    path = f"/en/doctors/{doctor_id}?day={first[:10]}"
    async with opened(browser, shared, path, timezone_id=zone) as page:
        link = page.locator(".slot").first
        await expect(link.locator("strong")).to_have_text(first[11:16])
        own = await page.evaluate(
            "([at, zone]) => new Date(at).toLocaleTimeString('en-GB', "
            "{timeZone: zone, hour: '2-digit', minute: '2-digit'})",
            [first, zone],
        )
        expected = re.compile(rf"^{first[11:16]}\s*{f'(... )?{own} your time' if is_shown else ''}$")
        await expect(link).to_have_text(expected)
        await expect(page.get_by_text("Your own time is shown below them.")).to_have_count(int(is_shown))


async def test_a_doctor_without_free_time_names_others_and_the_phone(
    browser: Browser, shared: Clinic
) -> None:
    busy = await shared.doctor([], name="Dr. Busy")
    await shared.doctor(name="Dr. Free")
    async with opened(browser, shared, f"/en/doctors/{busy}") as page:
        await expect(page.get_by_text("Dr. Busy has no free times online at the moment.")).to_be_visible()
        call = page.get_by_role("main").get_by_role("link", name="Call +49 30 555 0100")
        await expect(call).to_have_attribute("href", "tel:+49305550100")
        await expect(page.get_by_role("heading", name="Other doctors with free times")).to_be_visible()
        await accessible(page)


async def test_a_day_without_free_time_leads_to_the_first_that_has(browser: Browser, shared: Clinic) -> None:
    day = clock.now().date() + timedelta(days=20)
    validity = {"valid_from": str(day), "valid_until": str(day)}
    hours = [{"weekday": day.isoweekday(), "starts": "08:00", "ends": "10:00", **validity}]
    doctor_id = await shared.doctor(hours)
    before = day - timedelta(days=9)
    async with opened(browser, shared, f"/en/doctors/{doctor_id}?day={before}") as page:
        await expect(page.get_by_text("There are no free times on this day.")).to_be_visible()
        await page.get_by_role("button", name="First free day").click()
        await expect(page.locator(".slot").first).to_be_visible()
        assert f"day={day}" in page.url
    async with opened(browser, shared, f"/en/doctors/{doctor_id}") as page:
        await expect(page.locator(".slot").first).to_be_visible()  # never an empty month
    async with opened(browser, shared, f"/en/doctors/{doctor_id}?day=soon") as page:
        await expect(page.locator(".slot").first).to_be_visible()


@pytest.mark.parametrize("path", ["", "/doctors/"])
async def test_the_server_is_away_and_comes_back(browser: Browser, shared: Clinic, path: str) -> None:
    doctor_id = await shared.doctor()
    address = f"/de{path}{doctor_id if path else ''}"
    async with opened(browser, shared, "about:blank") as page:

        async def fail(route: Route) -> None:
            await route.fulfill(status=503, content_type="application/problem+json", body="{}")

        await page.route("**/v1/**", fail)
        await page.goto(address)
        await expect(page.get_by_text("Wir erreichen den Server der Praxis gerade nicht.")).to_be_visible()
        await accessible(page)
        await page.unroute("**/v1/**")
        await page.get_by_role("button", name="Jetzt noch einmal versuchen").click()
        await expect(page.locator(".slot, .doctors a").first).to_be_visible()
        await expect(page.get_by_text("Wir erreichen den Server der Praxis gerade nicht.")).to_have_count(0)


async def test_offline_is_said_and_ends_by_itself(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    async with opened(browser, shared, f"/en/doctors/{doctor_id}") as page:
        await expect(page.locator(".slot").first).to_be_visible()
        await page.context.set_offline(True)
        await page.get_by_role("button", name="Week after").click()
        await expect(page.get_by_text("There is no network connection.")).to_be_visible()
        await page.context.set_offline(False)
        await expect(page.locator(".slot").first).to_be_visible()
        await expect(page.get_by_text("There is no network connection.")).to_have_count(0)


async def test_a_slow_answer_is_said_to_be_slow(browser: Browser, shared: Clinic) -> None:
    async with opened(browser, shared, "about:blank") as page:
        waiting: list[Route] = []
        await page.route("**/v1/availability*", lambda route: waiting.append(route))
        await page.goto("/en")
        await expect(page.get_by_text("This is taking longer than usual.")).to_be_visible()
        await accessible(page)
        await waiting[0].continue_()
        await expect(page.get_by_text("This is taking longer than usual.")).to_have_count(0)


async def test_markup_in_names_is_text(browser: Browser, shared: Clinic) -> None:
    doctor_id = await shared.doctor(name=MARKUP, specialty=MARKUP)
    async with opened(browser, shared, "/en") as page:
        await expect(page.get_by_role("heading", name=MARKUP)).to_be_visible()
        await page.goto(f"/en/doctors/{doctor_id}")
        await expect(page.get_by_role("heading", name=MARKUP)).to_be_visible()
        assert await page.locator("main img, main b").count() == 0


async def test_the_filters_narrow_the_list(browser: Browser, shared: Clinic) -> None:
    long = {"code": "long", "name": "Long talk", "minutes": 60}
    await shared.doctor(name="Dr. Long", specialty="Talking", visit_types=[long])
    async with opened(browser, shared, "/en") as page:
        await page.get_by_label("What do you need?").select_option("Long talk")
        await expect(page.locator(".doctors h2")).to_have_text(["Dr. Long"])
        await page.reload()
        await expect(page.locator(".doctors h2")).to_have_text(["Dr. Long"])
        await page.get_by_label("Which specialty?").select_option("Talking")
        await page.get_by_role("link", name="Choose a time with Dr. Long").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Dr. Long")
        assert "visit=long" in page.url


@pytest.mark.parametrize(
    ("language", "length", "headings"),
    [
        ("en", "Check-up 30 minutes", ["Morning", "Afternoon", "Evening"]),
        ("de", "Check-up 30 Minuten", ["Vormittag", "Nachmittag", "Abend"]),
    ],
)
async def test_the_times_of_a_long_day_have_headings(
    browser: Browser, shared: Clinic, language: str, length: str, headings: list[str]
) -> None:
    hours = [{"weekday": day, "starts": "09:00", "ends": "19:30"} for day in range(1, 8)]
    doctor_id = await shared.doctor(hours, policy={"slot_minutes": 15})
    day = (clock.now() + timedelta(days=7)).date()
    async with opened(browser, shared, f"/{language}/doctors/{doctor_id}?day={day}") as page:
        await expect(page.get_by_text(length)).to_be_visible()
        await expect(page.get_by_role("heading", level=3)).to_have_text(headings)
        lists = [
            await part.locator("strong").all_inner_texts() for part in await page.locator("h3 + ul").all()
        ]
        assert [(len(part), part[0], part[-1]) for part in lists] == [
            (12, "09:00", "11:45"),
            (24, "12:00", "17:45"),
            (5, "18:00", "19:00"),
        ]
        await accessible(page)
