"""The pages' colours, encodings and languages."""

import re
import struct
import zlib
from collections.abc import Iterator

import pytest

from ingress.http.compression import best_encoding
from ingress.pages.clinic import ClinicView
from ingress.pages.colours import DARKEST, LIGHTEST, contrast, readable, stylesheet
from ingress.pages.files import BUILT, PageFile, Pages
from ingress.pages.installed import icon
from ingress.pages.routes import best_language

ACCENTS = ("#0b5cad", "#000000", "#ffffff", "#ffcc00", "#00ff7f", "#c2185b", "#777777")


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


@pytest.mark.parametrize("accent", ACCENTS)
def test_text_in_any_accent_is_readable_in_both_themes(accent: str) -> None:
    light, dark = readable(accent, LIGHTEST, "#000000"), readable(accent, DARKEST, "#ffffff")
    assert light in stylesheet(accent)
    assert dark in stylesheet(accent)
    assert contrast(light, LIGHTEST) >= 4.5
    assert contrast(light, "#ffffff") >= 4.5  # on the page, and white text on a button
    assert contrast(dark, DARKEST) >= 4.5
    assert contrast(dark, "#10151a") >= 4.5


def test_a_readable_accent_stays_as_it_is() -> None:
    assert readable("#0b5cad", LIGHTEST, "#000000") == "#0b5cad"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", "identity"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br; q=0.0, GZIP", "gzip"),
        ("zstd", "identity"),
    ],
)
def test_encoding(accepted: str, encoding: str) -> None:
    offered = PageFile.make(b"x" * 5_000, ".js", "no-cache").contents
    assert set(offered) == {"identity", "br", "gzip"}
    assert best_encoding(accepted, offered) == encoding


def test_small_files_and_pictures_are_not_compressed() -> None:
    assert set(PageFile.make(b"x", ".js", "no-cache").contents) == {"identity"}
    assert set(PageFile.make(b"x" * 5_000, ".png", "no-cache").contents) == {"identity"}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr-FR,de;q=0.4,en;q=0.5", "en"),
        ("de-AT", "de"),
        ("fr", "de"),
        ("en;q=x", "de"),
        ("en;q=0", "de"),
    ],
)
def test_language(accepted: str, language: str) -> None:
    assert best_language(accepted, ("de", "en")) == language


@pytest.mark.parametrize("accent", ["#0b5cad", "#ff0000", "#00f0f0"])
def test_the_icons_have_the_clinics_colour(accent: str) -> None:
    ground = readable(accent, LIGHTEST, "#000000")
    drawing = icon((BUILT / "icons" / "icon.svg").read_bytes(), ".svg", accent).decode()
    assert re.findall(r'"(#.+?)"', drawing) == [ground, "#ffffff", "#ffffff", ground, DARKEST]
    # iOS asks for the first (`web/patient.html`), others for the last two (web.dev/articles/add-manifest).
    for size in (180, 192, 512):
        source = (BUILT / "icons" / f"icon-{size}.png").read_bytes()
        chunks = dict(png_chunks(icon(source, ".png", accent)))
        assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (size, size)
        rows = zlib.decompress(chunks[b"IDAT"])
        assert colour_of(chunks, rows[1]) == ground
        assert {"#ffffff", DARKEST} <= {colour_of(chunks, index) for index in rows}


def png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of each, whose checksum has to be right (ISO/IEC 15948, section 5.3)."""
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        named = png[at + 4 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(named),)
        yield named[:4], named[4:]
        at += 12 + length


def colour_of(chunks: dict[bytes, bytes], index: int) -> str:
    return "#" + chunks[b"PLTE"][3 * index : 3 * index + 3].hex()


def test_what_a_clinic_is_called_is_text_in_its_page() -> None:
    name = "</script><script>alert(1)</script> & Söhne"
    clinic = ClinicView(
        name=name,
        phone=None,
        address="<b>Street</b>",
        time_zone="Europe/Berlin",
        languages=("en", "de"),
        accent_colour="#0b5cad",
        demo=False,
        passkey_origin=None,
    )
    page = Pages(clinic).files["en.html"].contents["identity"].decode()
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert "<title>&lt;/script&gt;&lt;script&gt;alert(1)" in page
