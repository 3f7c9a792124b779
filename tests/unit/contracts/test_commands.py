"""Commands, and the promises about them that can never change."""

import json
from typing import Literal
from uuid import UUID

import pytest
from pydantic import ValidationError

from contracts.commands import COMMAND_TYPES, BlockTime, BookAppointment, derived_id
from tests.unit.contracts.examples import COMMAND_ID, NINE, NOON, block, book, update


def test_types_keep_their_numbers_because_receipts_have_them() -> None:
    released = [
        "RegisterDoctor",
        "UpdateDoctor",
        "SetWeeklyHours",
        "BlockTime",
        "UnblockTime",
        "BookAppointment",
        "RescheduleAppointment",
        "CancelAppointment",
        "RecordOutcome",
    ]

    assert [model.__name__ for model in COMMAND_TYPES][: len(released)] == released


@pytest.mark.parametrize(
    ("kind", "id_"),
    [
        ("doctor", "df76d1bf-4117-537e-b242-4ff65a186e14"),
        ("appointment", "b9b0d8fe-1f1d-5842-8c6d-666e80ab643b"),
        ("time-off", "2501cd85-3ded-5e09-8470-9866cc890bac"),
    ],
)
def test_ids_made_from_a_command_never_change(
    kind: Literal["doctor", "appointment", "time-off"], id_: str
) -> None:
    assert derived_id(COMMAND_ID, kind) == UUID(id_)


def test_a_missing_optional_field_equals_null() -> None:
    written = json.loads(update.model_dump_json())
    required = {"command_id", "fingerprint", "actor", "doctor_id"}
    nulls = dict.fromkeys(written.keys() - required)
    bare = {name: written[name] for name in required}

    assert type(update).model_validate(bare) == type(update).model_validate(bare | nulls)


def test_an_unknown_kind_of_actor_is_refused() -> None:
    data = json.loads(book.model_dump_json())

    with pytest.raises(ValidationError):
        BookAppointment.model_validate(data | {"actor": {"kind": "doctor", "id": data["patient_id"]}})


@pytest.mark.parametrize(("starts_at", "ends_at"), [(NOON, NINE), (NINE, NINE)])
def test_time_off_ends_after_it_starts(starts_at: object, ends_at: object) -> None:
    # Postgres refuses a range that ends before it starts, so such a command could never be executed.
    with pytest.raises(ValidationError):
        BlockTime.model_validate(dict(block) | {"starts_at": starts_at, "ends_at": ends_at})
