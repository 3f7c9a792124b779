"""What a doctor offers, and when: parts of commands, events and resources alike."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.fields import Code, Date, Line, Model, WallTime, Whole

BUFFER_MINUTES_MAX = 240
VISIT_MINUTES_MAX = 720


class VisitType(Model):
    """A kind of visit: its length and the time the doctor needs before and after it, in minutes."""

    code: Code
    name: Line
    minutes: Whole = Field(ge=1, le=VISIT_MINUTES_MAX)
    buffer_before_minutes: Whole = Field(default=0, ge=0, le=BUFFER_MINUTES_MAX)
    buffer_after_minutes: Whole = Field(default=0, ge=0, le=BUFFER_MINUTES_MAX)


def _codes_differ(visit_types: tuple[VisitType, ...]) -> tuple[VisitType, ...]:
    if len({visit_type.code for visit_type in visit_types}) < len(visit_types):
        raise PydanticCustomError("duplicate_code", "Two visit types have the same code")
    return visit_types


class Policy(Model):
    """How far ahead, how late and how often patients may book. Staff are not held by notice and count."""

    slot_minutes: Whole = Field(default=15, ge=1, le=720)
    min_notice_minutes: Whole = Field(default=60, ge=0, le=525_600)
    horizon_days: Whole = Field(default=90, ge=1, le=3_660)
    change_notice_minutes: Whole = Field(default=120, ge=0, le=525_600)
    max_active_per_patient: Whole = Field(default=3, ge=1, le=1_000)


class PolicyChange(Model):
    """The values of a policy that change; the others stay."""

    slot_minutes: Whole | None = Field(default=None, ge=1, le=720)
    min_notice_minutes: Whole | None = Field(default=None, ge=0, le=525_600)
    horizon_days: Whole | None = Field(default=None, ge=1, le=3_660)
    change_notice_minutes: Whole | None = Field(default=None, ge=0, le=525_600)
    max_active_per_patient: Whole | None = Field(default=None, ge=1, le=1_000)

    def applied_to(self, policy: Policy) -> Policy:
        """The policy after the change."""
        return policy.model_copy(update=self.model_dump(exclude_none=True))


class Hours(Model):
    """Hours on one weekday (ISO 8601: 1 is Monday), in the doctor's local time, while valid."""

    weekday: Whole = Field(ge=1, le=7)
    starts: WallTime
    ends: WallTime
    valid_from: Date | None = None
    valid_until: Date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Hours":
        if self.ends <= self.starts:
            raise PydanticCustomError("ends_before_start", "The hours must end after they start")
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise PydanticCustomError("ends_before_start", "The validity ends before it starts")
        return self


VisitTypes = Annotated[
    tuple[VisitType, ...], Field(min_length=1, max_length=50), AfterValidator(_codes_differ)
]
WeeklyHours = Annotated[tuple[Hours, ...], Field(max_length=200)]
