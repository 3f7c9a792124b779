"""Text is strict too: bounded, visible, and in one form where machines read it."""

from typing import Any
from zoneinfo import available_timezones

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.fields import (
    Ciphertext,
    Code,
    Date,
    Fingerprint,
    Id,
    MultiLineText,
    SingleLineText,
    StrictModel,
    TimeZone,
    WallTime,
)


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refused(kind: Any, value: object) -> str:
    """The code of the first error."""
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    return caught.value.errors()[0]["type"]


# C0 and C1 at their ends, DEL, the Unicode line and paragraph separators.
CONTROLS = ["\x00", "\x07", "\x08", "\x0b", "\x0c", "\r", "\x1b", "\x1f", "\x7f", "\x80", "\x85", "\x9f"]
CONTROLS += ["\u2028", "\u2029"]


@pytest.mark.parametrize("control", [*CONTROLS, "\t", "\n"], ids=ascii)
def test_one_line_of_text_has_no_control_characters(control: str) -> None:
    assert (
        refused(SingleLineText, f"a{control}b")
        == refused(SingleLineText, f"a{control}")
        == "control_character"
    )


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_free_text_has_none_either(control: str) -> None:
    assert refused(MultiLineText, f"a{control}b") == "control_character"


def test_free_text_may_have_tabs_and_several_lines() -> None:
    assert read(MultiLineText, "a\tb\nc\n") == "a\tb\nc\n"


@pytest.mark.parametrize(
    "kind", [SingleLineText, MultiLineText, Code, Ciphertext, Fingerprint, TimeZone, Date, WallTime, Id]
)
def test_no_text_has_a_lone_surrogate(kind: Any) -> None:
    refused(kind, "a\ud800")
    refused(kind, "\udfffa")


@pytest.mark.parametrize(("kind", "length_max"), [(SingleLineText, 200), (MultiLineText, 2000)])
def test_text_is_neither_empty_nor_too_long(kind: Any, length_max: int) -> None:
    assert read(kind, "😀" * length_max) == "😀" * length_max
    assert refused(kind, "😀" * (length_max + 1)) == "string_too_long"
    assert refused(kind, "") == "string_too_short"
    assert refused(kind, " \u00a0\u3000") == "blank"


class Body(StrictModel):
    name: SingleLineText | None = None
    reason: MultiLineText | None = None


NOTHING_VISIBLE = [
    "\u200b",  # zero width space
    "\u200e\u202e\u2066",
    "\ufeff",
    "\u00ad",
    "\u034f",  # combining grapheme joiner
    "\u0301\u0308",  # marks without anything to stand on
    "\ufe0f",
    "\U000e0041",  # tag letter
    "\u3164",  # Hangul filler: a letter
    "\u115f\u1160\uffa0",
    "\u2800",  # a Braille pattern without a dot
    "\u180e",
    "\ue000",
    " \u00a0\u2003",
]


@pytest.mark.parametrize("text", NOTHING_VISIBLE, ids=ascii)
def test_texts_of_clients_have_something_visible(text: str) -> None:
    for field in ("name", "reason"):
        with pytest.raises(ValidationError) as caught:
            Body.model_validate({field: text})
        assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [((field,), "blank")]
        assert Body.model_validate({field: f"{text}é"}).said() == {field: f"{text}é"}


def test_texts_that_earlier_releases_accepted_can_still_be_read() -> None:
    assert read(SingleLineText, "\u200b") == "\u200b"


@pytest.mark.parametrize("text", ["李", "א", "🩺", "?", "7", "e\u0301", "\u0e01\u0e33", "क्ष"])
def test_whatever_shows_is_a_name(text: str) -> None:
    assert Body(name=text).name == text


@pytest.mark.parametrize("kind", [SingleLineText, MultiLineText, Code, Ciphertext, Fingerprint, TimeZone])
@pytest.mark.parametrize("value", [7, True, None, b"abc", ["a"]])
def test_only_text_is_text(kind: Any, value: object) -> None:
    assert refused(kind, value) == "string_type"


@pytest.mark.parametrize("value", ["a", "0", "check-up_2", "a" * 40])
def test_a_code_is_short_and_plain(value: str) -> None:
    assert read(Code, value) == value


@pytest.mark.parametrize("value", ["", "A", "-a", "_a", "a b", "ä", "a" * 41, "a\n", "a."])
def test_anything_else_is_not_a_code(value: str) -> None:
    assert refused(Code, value) == "string_pattern_mismatch"


def test_sealed_text_is_base64url_of_a_bounded_length() -> None:
    assert read(Ciphertext, "aZ09-_" * 2000)
    assert refused(Ciphertext, "a" * 12_001) == "string_too_long"
    assert {refused(Ciphertext, value) for value in ("", "a=", "a+b", "a/b", "a b", "a\n")} == {
        "string_pattern_mismatch"
    }


def test_a_fingerprint_is_32_lower_case_hex_digits() -> None:
    assert read(Fingerprint, "0123456789abcdef" * 2)
    for value in ("0" * 31, "0" * 33, "A" * 32, "g" * 32, "0" * 32 + "\n"):
        assert refused(Fingerprint, value) == "string_pattern_mismatch"


@pytest.mark.parametrize("value", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
def test_a_time_zone_has_an_iana_name(value: str) -> None:
    assert read(TimeZone, value) == value


NO_ZONES = ["europe/berlin", "Europe/Bonn", "+01:00", "CEST"]
# Names specific to a machine, zones with leap seconds, no zone at all; folders and paths.
NO_ZONES += [
    "localtime",
    "posixrules",
    "Factory",
    "",
    "right/Europe/Berlin",
    "posix/Europe/Berlin",
    "leapseconds",
]
NO_ZONES += [
    "Europe",
    "Europe/",
    "../Europe/Berlin",
    "/usr/share/zoneinfo/UTC",
    "Europe//Berlin",
    "./UTC",
    "UTC\0",
]


@pytest.mark.parametrize("value", NO_ZONES)
def test_anything_else_is_not_a_time_zone(value: str) -> None:
    assert refused(TimeZone, value) == "time_zone"


def test_every_zone_of_the_locked_data_but_factory_is_one() -> None:
    for name in available_timezones() - {"Factory"}:
        assert read(TimeZone, name) == name
