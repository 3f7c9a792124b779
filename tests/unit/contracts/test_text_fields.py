"""Text is strict too: bounded, visible, and of one form where machines read it."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.fields import Ciphertext, Code, Date, Fingerprint, Id, Line, Lines, TimeZone, WallTime


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
    assert refused(Line, f"a{control}b") == refused(Line, f"a{control}") == "control_character"


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_free_text_has_none_either(control: str) -> None:
    assert refused(Lines, f"a{control}b") == "control_character"


def test_free_text_may_have_tabs_and_several_lines() -> None:
    assert read(Lines, "a\tb\nc\n") == "a\tb\nc\n"


@pytest.mark.parametrize("kind", [Line, Lines, Code, Ciphertext, Fingerprint, TimeZone, Date, WallTime, Id])
def test_no_text_has_a_lone_surrogate(kind: Any) -> None:
    refused(kind, "a\ud800")
    refused(kind, "\udfffa")


@pytest.mark.parametrize(("kind", "length_max"), [(Line, 200), (Lines, 2000)])
def test_text_is_neither_empty_nor_too_long(kind: Any, length_max: int) -> None:
    assert read(kind, "😀" * length_max) == "😀" * length_max
    assert refused(kind, "😀" * (length_max + 1)) == "string_too_long"
    assert refused(kind, "") == "string_too_short"
    assert refused(kind, " \u00a0\u3000") == "blank"


@pytest.mark.parametrize("kind", [Line, Lines, Code, Ciphertext, Fingerprint, TimeZone])
@pytest.mark.parametrize("value", [7, True, None, b"abc", ["a"]])
def test_only_text_is_text(kind: Any, value: object) -> None:
    assert refused(kind, value) == "string_type"


@pytest.mark.parametrize("value", ["a", "0", "check-up_2", "a" * 40])
def test_a_code_is_short_and_plain(value: str) -> None:
    assert read(Code, value) == value


@pytest.mark.parametrize("value", ["", "A", "-a", "_a", "a b", "ä", "a" * 41, "a\n", "a."])
def test_anything_else_is_no_code(value: str) -> None:
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


@pytest.mark.parametrize("value", ["europe/berlin", "Europe/Bonn", "+01:00", "", "../Europe/Berlin", "CEST"])
def test_anything_else_is_no_time_zone(value: str) -> None:
    assert refused(TimeZone, value) == "time_zone"
