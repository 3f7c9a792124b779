"""A calendar to subscribe to: iCalendar (RFC 5545) with the properties of RFC 7986."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from infra import clock
from infra.ical.entry import PRODUCT, CalendarEntry, content_lines, escaped, event_lines
from infra.ical.zone import calendar_zone_text


def feed_text(name: str, zone: ZoneInfo, entries: Sequence[CalendarEntry], refresh_after: timedelta) -> bytes:
    """A VCALENDAR with these entries, all in the zone, the earliest first. Equal entries give equal bytes.
    `refresh_after`: whole hours.

    It has no METHOD: it tells how things are, and is no message to anybody (RFC 5545, section 3.7.2). The
    VTIMEZONE makes it valid without entries, too. Name and refresh interval stand there twice, as programs
    from before RFC 7986 read other properties.
    """
    interval = f"PT{refresh_after // timedelta(hours=1)}H"
    head = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        f"NAME:{escaped(name)}",
        f"X-WR-CALNAME:{escaped(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{interval}",
        f"X-PUBLISHED-TTL:{interval}",
    ]
    around = entries[0].starts_at if entries else clock.now()
    events = [line for entry in entries for line in (*event_lines(entry), "CLASS:PRIVATE", "END:VEVENT")]
    zone_text = calendar_zone_text(zone, around)
    return b"".join((content_lines(head), zone_text, content_lines(events), b"END:VCALENDAR\r\n"))
