"""The order in which `clinic zones apply` moves visits."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.promise import Promise
from ops.zones.move import in_order
from storage.zone_data import ShiftedVisit

HOUR = timedelta(hours=1)
NINE = datetime(2027, 3, 15, 9, tzinfo=UTC)


def shifted(hour: int, by: timedelta) -> ShiftedVisit:
    starts_at = NINE.replace(hour=hour)
    return ShiftedVisit(
        appointment_id=UUID(int=hour),
        doctor_id=UUID(int=1),
        doctor_name="Dr. Example",
        version=1,
        starts_at=starts_at,
        promise=Promise.of(starts_at, "UTC"),
        kept_at=starts_at + by,
    )


def test_a_visit_moves_before_the_one_whose_time_it_frees() -> None:
    later = [shifted(hour, HOUR) for hour in (8, 9, 10)]
    earlier = [shifted(hour, -HOUR) for hour in (14, 15, 16)]

    assert in_order([*later, *earlier]) == [*reversed(later), *earlier]
    assert in_order([*reversed(earlier), *reversed(later)]) == [*reversed(later), *earlier]
