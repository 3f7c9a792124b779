"""An appointment as a calendar entry: iCalendar (RFC 5545, RFC 5546)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from infra.ical.zone import calendar_zone_text

PRODUCT = "-//Clinic//Appointments 1.0//EN"
LINE_OCTETS_MAX = 75
# Values have these escapes (section 3.3.11).
IN_TEXT = str.maketrans({"\\": r"\\", ";": r"\;", ",": r"\,"})
# Parameters are in quotes, which take commas, colons and semicolons, with the escapes of RFC 6868. There is
# none for a backslash, and some calendars unescape it all the same.
IN_PARAMETERS = str.maketrans({'"': "^'", "\\": "/", "^": "^^"})
# What needs no percent-encoding in the address of a mailto: URI (RFC 6068, section 2).
IN_MAILTO = "!$'*+@._~-"

Method = Literal["PUBLISH", "REQUEST", "CANCEL"]
"""What a calendar should do with an entry (RFC 5546, section 1.4)."""


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """An appointment in a calendar: the same entry through every change.

    The UID is the appointment's and SEQUENCE its `version`, so that a calendar updates the entry it has. The
    times are shown in `zone`. `clinic` is the place and the organizer's name; `organizer` is its mail address
    in ASCII, which messages need. `stamped_at` is when this text of the entry was made or, where it is no
    message, when the appointment was last changed (section 3.8.7.2). `url` is a page about it. No text holds
    a control character.
    """

    appointment_id: UUID
    version: int
    starts_at: datetime
    ends_at: datetime
    zone: ZoneInfo
    summary: str
    clinic: str
    stamped_at: datetime
    organizer: str | None = None
    url: str | None = None


def calendar_text(entry: CalendarEntry, method: Method, further: Iterable[str] = ()) -> bytes:
    """A VCALENDAR with one VEVENT and its VTIMEZONE; `further` are more lines of the event, unfolded.

    Written as text, in a tenth of the time that a calendar library takes; the tests read it with two of them.
    """
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN", f"METHOD:{method}"]
    zone = calendar_zone_text(entry.zone, entry.starts_at)
    event = [*event_lines(entry, is_cancelled=method == "CANCEL"), *further, "END:VEVENT"]
    return b"".join((content_lines(head), zone, content_lines(event), b"END:VCALENDAR\r\n"))


def calendar_uid(appointment_id: UUID) -> str:
    """The UID (section 3.8.4.7) of the appointment's one entry."""
    return f"{appointment_id}@clinic"


def escaped(text: str) -> str:
    """The text as a value (section 3.3.11)."""
    return text.translate(IN_TEXT)


def person(name: str, address: str, parameters: str = "") -> str:
    """The parameters and value of an organizer or attendee; `address` as `storage.mail_address` writes it."""
    common_name = f';CN="{name.translate(IN_PARAMETERS)}"' if name else ""
    return f"{common_name}{parameters}:mailto:{quote(address, safe=IN_MAILTO)}"


def event_lines(entry: CalendarEntry, *, is_cancelled: bool = False) -> Iterator[str]:
    """The lines of a VEVENT, unfolded, but the last."""
    starts, ends = _times(entry.starts_at, entry.ends_at, entry.zone)
    yield "BEGIN:VEVENT"
    yield f"UID:{calendar_uid(entry.appointment_id)}"
    yield f"SEQUENCE:{entry.version}"
    yield _time("DTSTAMP", entry.stamped_at.astimezone(UTC))
    yield _time("DTSTART", starts)
    yield _time("DTEND", ends)
    yield f"SUMMARY:{escaped(entry.summary)}"
    yield f"LOCATION:{escaped(entry.clinic)}"
    if entry.organizer is not None:
        yield f"ORGANIZER{person(entry.clinic, entry.organizer)}"
    if entry.url is not None:
        yield f"URL:{entry.url}"
    yield f"STATUS:{'CANCELLED' if is_cancelled else 'CONFIRMED'}"
    yield f"TRANSP:{'TRANSPARENT' if is_cancelled else 'OPAQUE'}"


def _times(starts: datetime, ends: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """DTSTART and DTEND: in the zone; in UTC where the zone's clocks show one of them for the second time.

    An hour that comes twice is always the first one in a calendar (section 3.3.5).
    """
    local = starts.astimezone(zone), ends.astimezone(zone)
    return (starts.astimezone(UTC), ends.astimezone(UTC)) if any(at.fold for at in local) else local


def _time(name: str, at: datetime) -> str:
    if str(at.tzinfo) == "UTC":
        return f"{name}:{at:%Y%m%dT%H%M%SZ}"
    return f"{name};TZID={at.tzinfo}:{at:%Y%m%dT%H%M%S}"


def content_lines(lines: Iterable[str]) -> bytes:
    """The lines as they are sent: folded, each with its end."""
    return b"".join(_folded(line.encode()) for line in lines)


def _folded(line: bytes) -> bytes:
    """The content line in lines of at most 75 octets, no character cut in two (section 3.1)."""
    folded, start, end = [], 0, LINE_OCTETS_MAX
    while end < len(line):
        while line[end] & 0b1100_0000 == 0b1000_0000:
            end -= 1
        folded.append(line[start:end])
        start, end = end, end + LINE_OCTETS_MAX - 1
    return b"\r\n ".join((*folded, line[start:])) + b"\r\n"
