"""What can be asked, and the promises about it that can never change."""

import json
from typing import Literal
from uuid import UUID

import pytest
from pydantic import ValidationError

from contracts.commands import COMMANDS, BlockTime, BookAppointment, made_id
from tests.unit.contracts.examples import COMMAND_ID, NINE, NOON, block, book, update


def test_types_keep_their_place_because_receipts_name_them_by_it() -> None:
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

    assert [model.__name__ for model in COMMANDS][: len(released)] == released


@pytest.mark.parametrize(
    ("what", "id_"),
    [
        ("doctor", "df76d1bf-4117-537e-b242-4ff65a186e14"),
        ("appointment", "b9b0d8fe-1f1d-5842-8c6d-666e80ab643b"),
        ("time-off", "2501cd85-3ded-5e09-8470-9866cc890bac"),
    ],
)
def test_what_a_command_makes_has_the_same_id_for_ever(
    what: Literal["doctor", "appointment", "time-off"], id_: str
) -> None:
    assert made_id(COMMAND_ID, what) == UUID(id_)


def test_a_field_that_is_left_out_is_as_good_as_null() -> None:
    written = json.loads(update.model_dump_json())
    required = {"command_id", "fingerprint", "actor", "doctor_id"}
    nulls = dict.fromkeys(written.keys() - required)
    bare = {name: written[name] for name in required}

    assert type(update).model_validate(bare) == type(update).model_validate(bare | nulls)


def test_a_command_is_never_of_an_unknown_kind_of_actor() -> None:
    data = json.loads(book.model_dump_json())

    with pytest.raises(ValidationError):
        BookAppointment.model_validate(data | {"actor": {"kind": "doctor", "id": data["patient_id"]}})


@pytest.mark.parametrize(("starts_at", "ends_at"), [(NOON, NINE), (NINE, NINE)])
def test_time_off_ends_after_it_starts(starts_at: object, ends_at: object) -> None:
    # Postgres refuses a range that ends before it starts, so such a command could never be carried out.
    with pytest.raises(ValidationError):
        BlockTime.model_validate(dict(block) | {"starts_at": starts_at, "ends_at": ends_at})
