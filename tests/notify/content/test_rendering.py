"""Mails in a browser: nothing is cut off at any width, and all of it is legible, in light and dark mode."""

from dataclasses import replace
from typing import Any, Literal

import pytest
from playwright.async_api import Browser

from notifier.content import Kind
from tests.unit.notifier.content.writing import ADA, KATHMANDU, html, mailed, notification, visit

PHONE, DESKTOP = 320, 1000
CONTRAST_MIN = 4.5
"""WCAG 2.2, success criterion 1.4.3 (AA)."""

SIZE_MIN_PX, TARGET_MIN_PX = 14, 24
"""The latter is success criterion 2.5.8 (AA), for what is no part of a sentence."""

LONG = replace(ADA, name="Ada " + "Wolfeschlegelsteinhausenbergerdorff" * 4)
NOTIFICATIONS = {
    **{kind.value: notification(kind, language="de") for kind in Kind},
    "long": notification(
        Kind.RESCHEDULE,
        visit(doctor_name="W" * 200, visit_type_name="ß" * 200, time_zone=KATHMANDU, version=2),
        recipient=LONG,
    ),
}

# Colours are blended as they are painted.
MEASURE = """() => {
  const luminance = ([r, g, b]) => [r, g, b]
    .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const behind = start => {
    for (let element = start; element; element = element.parentElement) {
      const color = numbers(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const texts = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    if (!own.length) continue;
    const pair = [numbers(getComputedStyle(element).color), behind(element)].map(luminance);
    const box = element.getBoundingClientRect();
    texts.push({
      text: own.map(n => n.data.trim()).join(" "),
      contrast: (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05),
      size: parseFloat(getComputedStyle(element).fontSize),
      left: box.left, right: box.right, height: box.height, tag: element.tagName,
    });
  }
  return {
    width: document.documentElement.scrollWidth,
    night: matchMedia("(prefers-color-scheme: dark)").matches,
    page: luminance(behind(document.body)),
    texts,
  };
}"""


async def rendered(
    browser: Browser, document: str, width: int, theme: Literal["light", "dark"]
) -> dict[str, Any]:
    """What there is to see of the document in a window of this width."""
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = await context.new_page()
    await page.set_content(document)
    report: dict[str, Any] = await page.evaluate(MEASURE)
    await context.close()
    return report


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("name", NOTIFICATIONS)
async def test_a_notification_can_be_read(
    browser: Browser, name: str, width: int, theme: Literal["light", "dark"]
) -> None:
    night = theme == "dark"

    report = await rendered(browser, html(mailed(NOTIFICATIONS[name])), width, theme)

    assert report["night"] is night
    assert (report["page"] < 0.1) is night, "the page is dark in dark mode"
    assert report["width"] <= width, "no horizontal scrolling"
    texts = report["texts"]
    assert len(texts) > 5
    for text in texts:
        assert text["contrast"] >= CONTRAST_MIN, text
        assert text["size"] >= SIZE_MIN_PX, text
        assert 0 <= text["left"] < text["right"] <= width, text
    for link in (text for text in texts if text["tag"] == "A"):
        assert link["height"] >= TARGET_MIN_PX, link
