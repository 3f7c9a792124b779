"""Mails in a browser: nothing is cut off at any width, and all of it is legible, in light and dark mode."""

import json
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from notifier.content import Kind
from tests.unit.notifier.content.writing import ADA, KATHMANDU, html, mailed, notification, visit

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=2000",
    "--window-size=1100,1000",
]  # fmt: skip
NIGHT = "--blink-settings=preferredColorScheme=0"
TIMEOUT_S = 120
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

# A window of Chromium has a minimum width, a frame has none. Colours are blended as they are painted.
MEASURE = """
const report = {};
const frame = document.querySelector("iframe");
const luminance = ([r, g, b]) => [r, g, b]
  .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const numbers = color => color.match(/[\\d.]+/g).map(Number);
const behind = (element, view) => {
  for (let one = element; one; one = one.parentElement) {
    const color = numbers(view.getComputedStyle(one).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
  }
  return [255, 255, 255];
};
frame.addEventListener("load", () => {
  const inside = frame.contentDocument, view = frame.contentWindow;
  report.width = inside.documentElement.scrollWidth;
  report.night = view.matchMedia("(prefers-color-scheme: dark)").matches;
  report.texts = [];
  for (const element of inside.body.querySelectorAll("*")) {
    const own = [...element.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    if (!own.length) continue;
    const pair = [numbers(view.getComputedStyle(element).color), behind(element, view)].map(luminance);
    const box = element.getBoundingClientRect();
    report.texts.push({
      text: own.map(n => n.data.trim()).join(" "),
      contrast: (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05),
      size: parseFloat(view.getComputedStyle(element).fontSize),
      left: box.left, right: box.right, height: box.height, tag: element.tagName,
    });
  }
  report.page = luminance(behind(inside.body, view));
  document.querySelector("output").textContent = JSON.stringify(report);
});
frame.srcdoc = DOCUMENT;
"""
PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"></head>
<body><iframe style="border: 0; width: WIDTHpx; height: 900px"></iframe><output></output>
<script>MEASURE</script></body></html>
"""


def rendered(document: str, width: int, night: bool, directory: Path) -> dict[str, Any]:
    """The document as a browser renders it in a window of this width."""
    assert CHROMIUM is not None
    measure = MEASURE.replace("DOCUMENT", json.dumps(document).replace("</", "<\\/"))
    page = directory / "page.html"
    page.write_text(PAGE.replace("WIDTH", str(width)).replace("MEASURE", measure))
    options = [*OPTIONS, f"--user-data-dir={directory / 'profile'}", *([NIGHT] if night else [])]
    run = subprocess.run(
        [CHROMIUM, *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    output = unescape(run.stdout.partition("<output>")[2].partition("</output>")[0])
    report: dict[str, Any] = json.loads(output)
    return report


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("night", [False, True], ids=["day", "night"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_a_notification_can_be_read(name: str, width: int, night: bool, tmp_path: Path) -> None:
    mail = mailed(NOTIFICATIONS[name])

    report = rendered(html(mail), width, night, tmp_path)

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
