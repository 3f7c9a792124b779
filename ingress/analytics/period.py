"""The period that figures are asked for, and its parts: in the clinic's time zone, whoever is counted."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request

from contracts.fields import Date
from infra import clock
from ingress.availability.routes import check_period
from ingress.resources import resources
from scheduling.opening_hours import Interval, days, first_instant

DAYS_MAX = 366
DEFAULT_DAYS = 30


class Grouping(StrEnum):
    """The groups of figures. A week is named by its Monday (ISO 8601), a month by its first day."""

    DOCTOR = "doctor"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    VISIT_TYPE = "visit_type"


@dataclass(frozen=True)
class FiguresPeriod:
    """Local dates of the clinic, both inclusive."""

    starts_on: date
    ends_on: date
    by: Grouping
    time_zone: str

    @cached_property
    def dates(self) -> list[date]:
        """The dates that name the groups, in order; none if the groups are no dates."""
        if self.by in (Grouping.DOCTOR, Grouping.VISIT_TYPE):
            return []
        return list(dict.fromkeys(self._named(day) for day in days(self.starts_on, self.ends_on)))

    @cached_property
    def parts(self) -> list[Interval]:
        """The part of the period that belongs to each of `dates`, in order; the whole if there are none."""
        begun = [max(day, self.starts_on) for day in self.dates] or [self.starts_on]
        midnights = [
            first_instant(datetime.combine(day, time.min), self.time_zone)
            for day in (*begun, self.ends_on + timedelta(days=1))
        ]
        return [Interval(starts, ends) for starts, ends in pairwise(midnights)]

    def _named(self, day: date) -> date:
        match self.by:
            case Grouping.WEEK:
                return day - timedelta(days=day.weekday())
            case Grouping.MONTH:
                return day.replace(day=1)
            case _:
                return day


async def _asked(
    request: Request,
    starts_on: Annotated[
        Date | None,
        Query(alias="from", description="first date, in the clinic's time zone; default 29 days before `to`"),
    ] = None,
    ends_on: Annotated[
        Date | None,
        Query(alias="to", description="last date, inclusive; default 29 days after `from`, or else today"),
    ] = None,
    by: Annotated[Grouping, Query(description="what each group is")] = Grouping.DOCTOR,
) -> FiguresPeriod:
    time_zone = resources(request).settings.time_zone
    others = timedelta(days=DEFAULT_DAYS - 1)
    if ends_on is None:
        ends_on = starts_on + others if starts_on else clock.now().astimezone(ZoneInfo(time_zone)).date()
    starts_on = starts_on or ends_on - others
    check_period(starts_on, ends_on, DAYS_MAX)
    return FiguresPeriod(starts_on, ends_on, by, time_zone)


AskedPeriod = Annotated[FiguresPeriod, Depends(_asked)]
"""The period and the groups that the query names."""
