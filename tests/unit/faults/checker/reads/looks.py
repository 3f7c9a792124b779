"""Reads of appointments: one, a list, a day. Their answers are right until a test changes them."""

from typing import Any

from tests.faults.workload.history import STAFF, Call
from tests.unit.faults.checker.story import DAY, Story
from tests.unit.faults.checker.topics import ADA, PAT, SAM, Data, Deed

DAYS = f"from={DAY}&to={DAY}"


def of(story: Story, deed: Deed) -> Data:
    """The appointment as reads have to show it now."""
    return dict(story.shown[deed.outcome["appointment_id"]])


def appointment(story: Story, deed: Deed, **changes: Any) -> Call:
    """A read of an appointment."""
    shown = of(story, deed) | changes
    return story.read(f"/v1/appointments/{deed.outcome['appointment_id']}", shown)


def page(story: Story, *items: Data, query: str = "", actor: str = STAFF, cursor: str | None = None) -> Call:
    """A read of a list."""
    answer = {"items": list(items), "next_cursor": cursor}
    return story.read(f"/v1/appointments{query}", answer, actor=actor)


def calendar(story: Story, *items: Data, away: tuple[Data, ...] = ()) -> Call:
    """A read of Dr Ada's day."""
    answer = {"appointments": list(items), "time_off": list(away)}
    return story.read(f"/v1/doctors/{ADA}/calendar?{DAYS}", answer)


def two_visits() -> tuple[Story, Deed, Deed]:
    """One of each patient, both with Dr Ada, both confirmed."""
    story = Story()
    return story, story.book(PAT, "09:00"), story.book(SAM, "10:00")
