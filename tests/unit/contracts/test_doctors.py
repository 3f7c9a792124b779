"""A doctor's visit types, hours and policy: limits and order; unknown fields are ignored."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.doctors import Hours, Policy, PolicyChange, VisitType, VisitTypes, WeeklyHours

CHECKUP: dict[str, Any] = {"code": "checkup", "name": "Check-up", "minutes": 30}
MORNING: dict[str, Any] = {"weekday": 1, "starts": "09:00", "ends": "12:30"}


def refused(kind: Any, value: object) -> tuple[str, tuple[int | str, ...]]:
    """The code and the location of the first error."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    error = caught.value.errors()[0]
    return error["type"], error["loc"]


def test_buffers_are_zero_by_default() -> None:
    visit_type = VisitType.model_validate(CHECKUP)

    assert (visit_type.buffer_before_minutes, visit_type.buffer_after_minutes) == (0, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minutes", 0),
        ("minutes", 721),
        ("buffer_before_minutes", -1),
        ("buffer_before_minutes", 241),
        ("buffer_after_minutes", -1),
        ("buffer_after_minutes", 241),
    ],
)
def test_the_lengths_of_a_visit_are_bounded(field: str, value: int) -> None:
    code, location = refused(VisitType, CHECKUP | {field: value})

    assert location == (field,)
    assert code in {"greater_than_equal", "less_than_equal"}


@pytest.mark.parametrize(
    ("kind", "good"), [(VisitType, CHECKUP), (Hours, MORNING), (Policy, {}), (PolicyChange, {})]
)
def test_unknown_fields_of_a_newer_release_are_ignored(kind: Any, good: dict[str, Any]) -> None:
    assert kind.model_validate(good | {"room": 1}) == kind.model_validate(good)


def test_a_doctor_has_1_to_50_visit_types() -> None:
    many = [CHECKUP | {"code": f"c{number}"} for number in range(51)]

    assert len(TypeAdapter(VisitTypes).validate_python(many[:50])) == 50
    assert refused(VisitTypes, []) == ("too_short", ())
    assert refused(VisitTypes, many) == ("too_long", ())


def test_two_visit_types_need_two_codes() -> None:
    assert refused(VisitTypes, [CHECKUP, CHECKUP | {"name": "Other"}]) == ("duplicate_code", ())


def test_hours_end_after_they_start() -> None:
    assert refused(Hours, MORNING | {"ends": "09:00"})[0] == "ends_before_start"
    assert refused(Hours, MORNING | {"ends": "08:59"})[0] == "ends_before_start"


def test_hours_are_valid_for_at_least_a_day() -> None:
    one_day = MORNING | {"valid_from": "2026-03-09", "valid_until": "2026-03-09"}

    assert Hours.model_validate(one_day).valid_from == Hours.model_validate(one_day).valid_until
    assert refused(Hours, one_day | {"valid_until": "2026-03-08"})[0] == "ends_before_start"


@pytest.mark.parametrize("weekday", [0, 8, True, "1", 1.0])
def test_weekdays_count_from_monday_1_to_sunday_7(weekday: object) -> None:
    assert refused(Hours, MORNING | {"weekday": weekday})[1] == ("weekday",)


def test_a_week_has_at_most_200_hours_entries() -> None:
    assert refused(WeeklyHours, [MORNING] * 201) == ("too_long", ())
    assert TypeAdapter(WeeklyHours).validate_python([]) == ()


def test_a_policy_has_the_contracts_defaults() -> None:
    assert Policy().model_dump() == {
        "slot_minutes": 15,
        "min_notice_minutes": 60,
        "horizon_days": 90,
        "change_notice_minutes": 120,
        "max_active_per_patient": 3,
    }


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("slot_minutes", 1, 720),
        ("min_notice_minutes", 0, 525_600),
        ("horizon_days", 1, 3_660),
        ("change_notice_minutes", 0, 525_600),
        ("max_active_per_patient", 1, 1_000),
    ],
)
@pytest.mark.parametrize("kind", [Policy, PolicyChange])
def test_a_policys_values_are_bounded_alike_in_a_change(kind: Any, field: str, low: int, high: int) -> None:
    assert getattr(kind(**{field: low}), field) == low
    assert getattr(kind(**{field: high}), field) == high
    assert refused(kind, {field: low - 1})[1] == (field,)
    assert refused(kind, {field: high + 1})[1] == (field,)


def test_a_change_of_policy_keeps_the_other_values() -> None:
    policy = Policy(slot_minutes=20, horizon_days=30)

    changed = PolicyChange(min_notice_minutes=0).applied_to(policy)

    assert changed == Policy(slot_minutes=20, horizon_days=30, min_notice_minutes=0)
    assert PolicyChange().applied_to(policy) == policy


def test_a_policy_changes_field_by_field() -> None:
    assert PolicyChange.model_fields.keys() == Policy.model_fields.keys()


def test_models_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Policy().slot_minutes = 5  # type: ignore[misc]
