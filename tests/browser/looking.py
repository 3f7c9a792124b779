"""Pages opened as patients open them, with all that may go wrong on them collected."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.clinic import Clinic

WIDTHS = (360, 768, 1440)
THEMES = ("light", "dark")
LANGUAGES = ("en", "de")
HEIGHT = 800
# Of a machine that does much else meanwhile.
ACTION_MS, EXPECTED_MS = 60_000, 40_000
expect.set_options(timeout=EXPECTED_MS)
# WCAG 2.2 A and AA, and what axe calls best practice.
AXE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
COLLECT_REPORTS = """
window.__reports = []
addEventListener("securitypolicyviolation", (report) =>
    window.__reports.push(`${report.violatedDirective} ${report.blockedURI} ${report.sourceFile}`))
"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@contextlib.asynccontextmanager
async def opened(browser: Browser, clinic: Clinic, path: str = "/en", **options: Any) -> AsyncIterator[Page]:
    """A page in a browser of its own, which at the end must have caused no error and no CSP report."""
    options = {
        "viewport": {"width": WIDTHS[0], "height": HEIGHT},
        "timezone_id": "Europe/Berlin",
        # A request that a service worker sends is none of the page's: tests could not answer it in its place.
        "service_workers": "block",
        **options,
    }
    context = await browser.new_context(base_url=clinic.settings.url, **options)
    await context.add_init_script(COLLECT_REPORTS)
    page = await context.new_page()
    page.set_default_timeout(ACTION_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        await page.goto(path)
        yield page
        assert await page.evaluate("window.__reports") == []
        assert errors == []
    finally:
        await context.close()


async def accessible(page: Page) -> None:
    """Asserts that axe finds nothing, and that nothing has to be scrolled sideways."""
    found = await Axe().run(page, options=AXE)
    violations = {
        item["id"]: [node["html"] for node in item["nodes"]] for item in found.response["violations"]
    }
    assert violations == {}
    assert await page.evaluate(TOO_WIDE) <= 0


async def times(page: Page) -> list[str]:
    """The free times that the page shows, in order."""
    return [text.strip() for text in await page.locator(".slot:not(.gone) strong").all_inner_texts()]
