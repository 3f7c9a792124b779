"""Pages as a screen reader has them: the way of the focus, and the accessibility tree as it was committed."""

import os
import re
from pathlib import Path

from playwright.async_api import Page, expect

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITE = "CLINIC_WRITE_SNAPSHOTS"
"""Set, it has the snapshots written anew."""

DAY = r"(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,? \d{1,2} [A-Z][a-z]+"
PERIOD = r"\d{1,2}( [A-Z][a-z]+( \d{4})?)?\s?–\s?\d{1,2} [A-Z][a-z]+ \d{4}"
CHANGING = {
    PERIOD: "PERIOD",
    DAY + r"( \d{4})?": "DAY",
    r"(Today|Tomorrow, DAY|DAY), \d\d:\d\d": "WHEN",
    r"\d\d:\d\d": "TIME",
    r"GMT[+\d:]+": "OFFSET",
    r"\d+ seconds?": "SECONDS",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "ID",
    r"[0-9a-f]{32}@": "NAME@",
    r'"\d{1,2}"': '"DATE"',
    r"\bat=[^&\s\"]+": "at=WHEN",
    r"\bday=[\d-]+": "day=DAY",
}
"""What is another at each run, in this order."""


class Reader:
    """Somebody who has a keyboard and a screen reader. `tabs`: how often they have pressed Tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.tabs = 0

    async def tab_to(self, name: str, tabs_max: int) -> None:
        """Asserts that Tab comes to the element whose name this pattern finds, and soon enough."""
        for _ in range(tabs_max):
            await self.page.keyboard.press("Tab")
            self.tabs += 1
            if re.search(name, await focused(self.page)):
                return
        raise AssertionError(f"{name} is not within {tabs_max} tabs, but {await focused(self.page)}")

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def arrives(self, heading: str) -> None:
        """Asserts that the focus is on the heading of the page that was gone to."""
        await expect(self.page.get_by_role("heading", level=1, name=heading)).to_be_focused()

    async def reads(self, name: str, part: str = "main") -> None:
        """Asserts that the page is the committed one."""
        tree = await self.page.locator(part).aria_snapshot()
        for pattern, word in CHANGING.items():
            tree = re.sub(pattern, word, tree)
        path = SNAPSHOTS / f"{name}.yml"
        if os.environ.get(WRITE):
            path.parent.mkdir(exist_ok=True)
            path.write_text(tree + "\n")
        assert tree + "\n" == path.read_text()


async def focused(page: Page) -> str:
    """The name of the element that has the focus."""
    found: str = await page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? "
        "document.activeElement.labels?.[0]?.innerText ?? document.activeElement.innerText"
    )
    return found
