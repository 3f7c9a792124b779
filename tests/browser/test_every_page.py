"""Every page, in each language, width and theme: accessible, never too wide."""

import pytest
from playwright.async_api import Browser

from tests.browser.looking import HEIGHT, LANGUAGES, THEMES, WIDTHS, accessible, opened
from tests.browser.patients import logged_in, registered
from tests.clinic import CHECKUP, Clinic
from tests.http.asking import booked

PAGES = ("", "/doctors/{doctor_id}", "/book?doctor={doctor_id}&visit=checkup&at={starts_at}", "/nowhere")
OWN_PAGES = (
    "/book?doctor={doctor_id}&visit=checkup&at={starts_at}",
    "/book?doctor={doctor_id}&visit=checkup&at={starts_at}&move={appointment_id}",
    "/appointments",
    "/appointments/{appointment_id}",
    "/appointments/{appointment_id}/cancel",
    "/me",
    "/me/email",
    "/me/phone",
    "/me/forget",
)
# What shows that a page has its content.
CONTENT = ".doctors, .slot, #email, a.button"
OWN_CONTENT = "main .button"
LONG_NAME = (
    "Prof. Dr. med. Dr. h. c. Annegret Freifrau von Hohenstein-Schwarzenbergerhausen-Lichtenfels "
    "zu Waldenburg"
)


@pytest.fixture(scope="module")
async def values(shared: Clinic) -> dict[str, str]:
    """What the addresses of pages hold: a doctor with a long name and a long day, and a time of theirs."""
    doctor_id = await shared.doctor(
        name=LONG_NAME,
        specialty="Hals-Nasen-Ohren-Heilkunde und Pädaudiologie",
        visit_types=[
            CHECKUP,
            {"code": "first", "name": "Erstuntersuchung mit Gesundheitsberatung", "minutes": 60},
        ],
        policy={"slot_minutes": 15},
    )
    return {"doctor_id": doctor_id, "starts_at": (await shared.slots(doctor_id))[0].replace("+", "%2B")}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
async def test_page(
    browser: Browser,
    shared: Clinic,
    values: dict[str, str],
    path: str,
    language: str,
    width: int,
    theme: str,
) -> None:
    viewport = {"width": width, "height": HEIGHT}
    address = f"/{language}{path.format(**values)}"
    async with opened(browser, shared, address, viewport=viewport, color_scheme=theme) as page:
        await page.locator(CONTENT).first.wait_for()
        assert await page.locator("html").get_attribute("lang") == language
        await accessible(page)


@pytest.mark.parametrize(("width", "theme"), [(320, "dark"), (768, "light"), (1440, "dark")])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_own_pages(
    browser: Browser, shared: Clinic, values: dict[str, str], language: str, width: int, theme: str
) -> None:
    email, headers = await registered(shared)
    taken, *_ = await shared.slots(values["doctor_id"])
    path = await booked(shared, headers, values["doctor_id"], taken)
    own = {**values, "appointment_id": path.rpartition("/")[2]}
    viewport = {"width": width, "height": HEIGHT}
    async with opened(browser, shared, viewport=viewport, color_scheme=theme) as page:
        await logged_in(page, shared, email)
        for address in OWN_PAGES:
            await page.goto(f"/{language}{address.format(**own)}")
            await page.locator(OWN_CONTENT).first.wait_for()
            await accessible(page)


@pytest.mark.parametrize("path", PAGES)
async def test_at_400_percent_and_in_forced_colours(
    browser: Browser, shared: Clinic, values: dict[str, str], path: str
) -> None:
    # A window of 1280 × 1024 px at 400 % (WCAG 2.2, 1.4.10).
    viewport = {"width": 320, "height": 256}
    address = f"/de{path.format(**values)}"
    async with opened(browser, shared, address, viewport=viewport, forced_colors="active") as page:
        await page.locator(CONTENT).first.wait_for()
        await accessible(page)


async def test_without_javascript_the_phone_number_is_there(browser: Browser, shared: Clinic) -> None:
    context = await browser.new_context(base_url=shared.settings.url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/de")
    assert await page.get_by_role("link", name=shared.settings.phone).get_attribute("href") == (
        "tel:+49305550100"
    )
    await context.close()
