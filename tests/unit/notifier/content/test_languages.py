"""Every message is translated; days, times and zones have their usual names."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import notifier.content
from notifier.content import times
from notifier.content.language import TRANSLATED, known, translation

CONTENT = Path(notifier.content.__file__).parent
PLACE = re.compile(r"%\((\w+)\)s|%")


def in_the_code() -> set[str]:
    found = extract_from_dir(CONTENT, method_map=[("**.py", "python")], keywords={"_": None})
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def catalogue(language: str) -> Catalog:
    with (CONTENT / "locale" / language / "LC_MESSAGES" / "notifications.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", TRANSLATED)
class TestACatalogue:
    def test_has_every_message_and_no_other(self, language: str) -> None:
        messages = {message.id for message in catalogue(language) if message.id}

        assert len(messages) > 30
        assert messages == in_the_code()

    def test_translates_each(self, language: str) -> None:
        translated = translation(language)
        for message in catalogue(language):
            if message.id:
                assert not message.fuzzy, message.id
                assert translated(str(message.id)) == message.string
                assert message.string not in ("", message.id), message.id

    def test_keeps_the_placeholders(self, language: str) -> None:
        for message in catalogue(language):
            places = set(PLACE.findall(str(message.id)))
            assert "" not in places, "a stray %"
            assert set(PLACE.findall(str(message.string))) <= places, message.id


def test_english_is_the_original() -> None:
    assert {translation("en")(message) for message in in_the_code()} == in_the_code()
    assert [known(language) for language in ("en", "de", "fr", "")] == ["en", "de", "en", "en"]


@pytest.mark.parametrize(
    ("zone", "month", "offset", "english", "german"),
    [
        (
            "Europe/Berlin",
            1,
            "+01:00",
            "Central European Standard Time, CET",
            "Mitteleuropäische Normalzeit, MEZ",
        ),
        (
            "Europe/Berlin",
            7,
            "+02:00",
            "Central European Summer Time, CEST",
            "Mitteleuropäische Sommerzeit, MESZ",
        ),
        ("Europe/Dublin", 1, "+00:00", "Greenwich Mean Time, GMT", "Mittlere Greenwich-Zeit, GMT"),
        ("Europe/Dublin", 7, "+01:00", "Irish Standard Time", "Irische Sommerzeit"),
        ("America/New_York", 1, "-05:00", "Eastern Standard Time, EST", None),
        ("America/New_York", 7, "-04:00", "Eastern Daylight Time, EDT", None),
        ("Asia/Kathmandu", 1, "+05:45", "Nepal Time", "Nepalesische Zeit"),
        ("America/St_Johns", 1, "-03:30", "Newfoundland Standard Time", "Neufundland-Normalzeit"),
        ("Africa/Casablanca", 1, "+01:00", "", ""),
    ],
)
def test_a_zone_has_its_usual_names(
    zone: str, month: int, offset: str, english: str, german: str | None
) -> None:
    local = datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(ZoneInfo(zone))

    for language, names in (("en", english), ("de", german)):
        if names is None:
            continue
        long, _, short = names.partition(", ")
        assert times.zone(local, language) == (f"{long} (UTC{offset})" if long else f"UTC{offset}")
        assert times.short_zone(local, language) == (short or f"UTC{offset}")


def test_the_two_occurrences_of_a_repeated_hour_are_told_apart() -> None:
    twice = [
        datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")) for hour in (0, 1)
    ]

    assert [times.clock(local) for local in twice] == ["02:30", "02:30"]
    assert [times.short_zone(local, "en") for local in twice] == ["CEST", "CET"]


@pytest.mark.parametrize("month", [1, 7])
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_zone_has_a_name_in_the_alphabet_of_text_messages(language: str, month: int) -> None:
    for zone in available_timezones():
        local = datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(ZoneInfo(zone))
        assert times.offset(local) in times.zone(local, language)
        assert re.fullmatch(r"[A-Z]{2,5}|UTC[+-]\d\d:\d\d", times.short_zone(local, language)), zone


def test_days() -> None:
    local = datetime(2026, 12, 1, 9, 5, tzinfo=ZoneInfo("Europe/Berlin"))

    assert times.day(local, "en") == "Tuesday, 1 December 2026"
    assert times.day(local, "de") == "Dienstag, 1. Dezember 2026"
    assert (times.short_day(local, "en"), times.short_day(local, "de")) == ("Tue 1 Dec 2026", "Di. 1.12.2026")
    assert times.clock(local) == "09:05"
