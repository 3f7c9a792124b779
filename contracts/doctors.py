"""A doctor's visit types, policy and hours: shared by commands, events and resources."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from contracts.fields import Code, Date, EndTime, Model, SingleLineText, TimeZone, WallTime

BUFFER_MINUTES_MAX = 240
VISIT_MINUTES_MAX = 720

BufferMinutes = Annotated[StrictInt, Field(ge=0, le=BUFFER_MINUTES_MAX)]


class VisitType(Model):
    """A kind of visit: its length and the time the doctor needs before and after it, in minutes."""

    code: Code
    name: SingleLineText
    minutes: StrictInt = Field(ge=1, le=VISIT_MINUTES_MAX)
    buffer_before_minutes: BufferMinutes = 0
    buffer_after_minutes: BufferMinutes = 0


V = TypeVar("V", bound=VisitType)


def _codes_differ(visit_types: tuple[V, ...]) -> tuple[V, ...]:
    if len({visit_type.code for visit_type in visit_types}) < len(visit_types):
        raise PydanticCustomError("duplicate_code", "Two visit types have the same code")
    return visit_types


SlotMinutes = Annotated[StrictInt, Field(ge=1, le=720)]
NoticeMinutes = Annotated[StrictInt, Field(ge=0, le=525_600)]
HorizonDays = Annotated[StrictInt, Field(ge=1, le=3_660)]
ActiveMax = Annotated[StrictInt, Field(ge=1, le=1_000)]


class Policy(Model):
    """How far ahead, how late and how often patients may book. Notice and count do not apply to staff."""

    slot_minutes: SlotMinutes = 15
    min_notice_minutes: NoticeMinutes = 60
    horizon_days: HorizonDays = 90
    change_notice_minutes: NoticeMinutes = 120
    max_active_per_patient: ActiveMax = 3


class PolicyChange(Model):
    """The values of a policy that change; the others stay."""

    slot_minutes: SlotMinutes | None = None
    min_notice_minutes: NoticeMinutes | None = None
    horizon_days: HorizonDays | None = None
    change_notice_minutes: NoticeMinutes | None = None
    max_active_per_patient: ActiveMax | None = None

    def applied_to(self, policy: Policy) -> Policy:
        """The policy after the change."""
        return policy.model_copy(update=self.model_dump(exclude_none=True))


class Hours(Model):
    """Hours on one weekday (ISO 8601: 1 is Monday), in the doctor's local time, while valid."""

    weekday: StrictInt = Field(ge=1, le=7)
    starts: WallTime
    ends: EndTime
    valid_from: Date | None = None
    valid_until: Date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Hours":
        if self.ends <= self.starts:
            raise PydanticCustomError("ends_before_start", "The hours must end after they start")
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise PydanticCustomError("ends_before_start", "The validity ends before it starts")
        return self


H = TypeVar("H", bound=Hours)
VisitTypesOf = Annotated[tuple[V, ...], Field(min_length=1, max_length=50), AfterValidator(_codes_differ)]
VisitTypes = VisitTypesOf[VisitType]
WeeklyHoursOf = Annotated[tuple[H, ...], Field(max_length=200)]
WeeklyHours = WeeklyHoursOf[Hours]


class DoctorChange(Model):
    """The values of a doctor that change; the others stay."""

    name: SingleLineText | None = None
    specialty: SingleLineText | None = None
    time_zone: TimeZone | None = None
    visit_types: VisitTypes | None = None
    policy: PolicyChange | None = None
    active: StrictBool | None = None
