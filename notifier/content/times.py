"""Instants as a patient reads them: in local time, with weekday and zone, in their language."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import get_global
from babel.dates import format_date

Width = Literal["long", "short"]
DAY = {"en": "EEEE, d MMMM y", "de": "EEEE, d. MMMM y"}
SHORT_DAY = {"en": "EEE d MMM y", "de": "EEE d.M.y"}
# Where to look for a zone's name. Abbreviations are regional: English has CET only where that is used.
LOCALES = {
    "en": [Locale("en"), Locale("en", "GB")],
    "de": [Locale("de"), Locale("en"), Locale("en", "GB")],
}
NOTHING = "∅∅∅"  # CLDR: nothing, also nothing from a parent


def day(local: datetime, language: str) -> str:
    """`Tuesday, 1 December 2026`."""
    return _date(local.date(), DAY[language], language)


def short_day(local: datetime, language: str) -> str:
    """`Tue 1 Dec 2026`."""
    return _date(local.date(), SHORT_DAY[language], language)


def clock(local: datetime) -> str:
    """`09:00`."""
    return f"{local:%H:%M}"


def zone(local: datetime, language: str) -> str:
    """`Central European Standard Time (UTC+01:00)`; the offset alone if the zone has no name.

    With the offset, because many readers do not know the names; with summer or standard time, because one
    hour in autumn occurs twice. A fixed offset has no name.
    """
    if not isinstance(local.tzinfo, ZoneInfo):
        return offset(local)
    name = _zone_name(_key(local), _is_summer(local), "long", language)
    return f"{name} ({offset(local)})" if name else offset(local)


def short_zone(local: datetime, language: str) -> str:
    """`CET`; the offset where there is no abbreviation."""
    if not isinstance(local.tzinfo, ZoneInfo):
        return offset(local)
    return _zone_name(_key(local), _is_summer(local), "short", language) or offset(local)


def offset(local: datetime) -> str:
    """`UTC+01:00`."""
    text = f"{local:%z}"
    return f"UTC{text[:3]}:{text[3:5]}"


@lru_cache(maxsize=1024)
def _date(day: date, pattern: str, language: str) -> str:
    return format_date(day, pattern, locale=LOCALES[language][0])


def _key(local: datetime) -> str:
    assert isinstance(local.tzinfo, ZoneInfo), "it is local"
    return local.tzinfo.key


def _is_summer(local: datetime) -> bool:
    # Babel uses `dst()` alone and takes Irish summer time for winter: there, winter is the exception (-1 h).
    if any(local.replace(month=month, day=1).dst() < timedelta(0) for month in (1, 7)):  # type: ignore[operator]
        return not local.dst()
    return bool(local.dst())


@lru_cache(maxsize=1024)
def _zone_name(key: str, is_summer: bool, width: Width, language: str) -> str | None:
    """CLDR's name, looked up by every alias of the zone: Babel knows some zones only by an old name."""
    aliases: dict[str, str] = dict(get_global("zone_aliases"))
    current = aliases.get(key, key)
    keys = [key, current, *(old for old, new in aliases.items() if new == current)]
    variant = "daylight" if is_summer else "standard"
    locales = LOCALES[language] if width == "short" else LOCALES[language][:1]
    for locale in locales:
        for key in keys:
            metazone = get_global("meta_zones").get(key)
            for names in (locale.time_zones.get(key, {}), locale.meta_zones.get(metazone or "", {})):
                name: str | None = names.get(width, {}).get(variant)
                if name and name != NOTHING:
                    return name
    return None
