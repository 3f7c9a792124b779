"""The pages as an application that people install: its manifest and icon."""

import re
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from ingress.pages.clinic import ClinicView
from ingress.pages.colours import DARKEST, LIGHTEST, readable

SHORT_NAME_MAX = 12
"""What home screens show of a name (Web Application Manifest, section 1.4)."""

PLACEHOLDERS = (b"#f00", b"#0f0", b"#00f")


def manifest(clinic: ClinicView, sizes: Iterable[int]) -> dict[str, Any]:
    """The web application manifest (W3C). `sizes` of the icons as PNG, in pixels."""
    return {
        "name": clinic.name,
        "short_name": clinic.name if len(clinic.name) <= SHORT_NAME_MAX else clinic.name.split()[0],
        "lang": clinic.languages[0],
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": LIGHTEST,
        "theme_color": readable(clinic.accent_colour, LIGHTEST, "#000000"),
        "icons": [
            {"src": "/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any maskable"},
            *({"src": f"/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png"} for size in sizes),
        ],
    }


def icon(drawing: bytes, suffix: str, accent: str) -> bytes:
    """The drawing, an SVG or PNG of `web/icons.ts`, in the clinic's colours: ground, sheet and tick."""
    colours = (readable(accent, LIGHTEST, "#000000"), "#ffffff", DARKEST)
    if suffix == ".png":
        return _with_palette(drawing, colours)
    placed = dict(zip(PLACEHOLDERS, colours, strict=True))
    return re.sub(b"|".join(PLACEHOLDERS), lambda found: placed[found[0]].encode(), drawing)


def _with_palette(png: bytes, colours: tuple[str, ...]) -> bytes:
    start = png.index(b"PLTE") - 4
    (length,) = struct.unpack_from(">I", png, start)
    amounts = png[start + 8 : start + 8 + length]
    channels = [bytes.fromhex(colour[1:]) for colour in colours]
    palette = b"PLTE" + bytes(
        round(sum(amount * colour[channel] for amount, colour in zip(mixture, channels, strict=True)) / 255)
        for mixture in (amounts[at : at + 3] for at in range(0, length, 3))
        for channel in range(3)
    )
    chunk = struct.pack(">I", length) + palette + struct.pack(">I", zlib.crc32(palette))
    return png[:start] + chunk + png[start + 12 + length :]
