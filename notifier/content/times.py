"""Instants as a patient reads them: on the wall's clock, with weekday and zone, in their language."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import get_global
from babel.dates import format_datetime

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
    return format_datetime(local, DAY[language], locale=LOCALES[language][0])


def short_day(local: datetime, language: str) -> str:
    """`Tue 1 Dec 2026`."""
    return format_datetime(local, SHORT_DAY[language], locale=LOCALES[language][0])


def clock(local: datetime) -> str:
    """`09:00`."""
    return f"{local:%H:%M}"


def zone(local: datetime, language: str) -> str:
    """`Central European Standard Time (UTC+01:00)`; the offset alone where nobody has named the zone.

    With the offset, because the names mean little to many; with summer or standard time, because an hour in
    autumn comes twice.
    """
    name = _zone_name(_key(local), _is_summer(local), "long", language)
    return f"{name} ({offset(local)})" if name else offset(local)


def short_zone(local: datetime, language: str) -> str:
    """`CET`; the offset where there is no abbreviation."""
    return _zone_name(_key(local), _is_summer(local), "short", language) or offset(local)


def offset(local: datetime) -> str:
    """`UTC+01:00`."""
    text = f"{local:%z}"
    return f"UTC{text[:3]}:{text[3:5]}"


def _key(local: datetime) -> str:
    assert isinstance(local.tzinfo, ZoneInfo), "it is local"
    return local.tzinfo.key


def _is_summer(local: datetime) -> bool:
    # Babel goes by `dst()` alone, and calls Irish summer time winter: there, winter is the exception (-1 h).
    if any(local.replace(month=month, day=1).dst() < timedelta(0) for month in (1, 7)):  # type: ignore[operator]
        return not local.dst()
    return bool(local.dst())


@lru_cache(maxsize=1024)
def _zone_name(key: str, is_summer: bool, width: Width, language: str) -> str | None:
    """CLDR's name. By every name that the zone has: Babel knows some only by an old one."""
    aliases: dict[str, str] = dict(get_global("zone_aliases"))
    current = aliases.get(key, key)
    keys = [key, current, *(old for old, new in aliases.items() if new == current)]
    variant = "daylight" if is_summer else "standard"
    locales = LOCALES[language] if width == "short" else LOCALES[language][:1]
    for locale in locales:
        for one in keys:
            metazone = get_global("meta_zones").get(one)
            for names in (locale.time_zones.get(one, {}), locale.meta_zones.get(metazone or "", {})):
                name: str | None = names.get(width, {}).get(variant)
                if name and name != NOTHING:
                    return name
    return None
