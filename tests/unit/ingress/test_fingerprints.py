"""A request's fingerprint never changes: it covers the fields that the client sent, whatever fields a body
gains.

The values are fixed, as stored decisions have them. Add values; never change any.
"""

from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel

from contracts.fields import StrictModel
from infra.keys import Keys
from ingress.booking.routes import BookBody, RescheduleBody
from ingress.commands.fingerprints import fingerprints
from ingress.doctors.routes import RegisterBody, ScheduleBody, UpdateBody
from ingress.doctors.time_off import TimeOffBody
from tests.unit.contracts.examples import APPOINTMENT, DOCTOR, PATIENT

KEYS = Keys(bytes(range(32)))
CHECKUP = {"code": "checkup", "name": "Check-up", "minutes": 30}
ADA = {"name": "Dr. Ada", "specialty": "cardiology"}
LONGER = CHECKUP | {"buffer_after_minutes": 5}
MORNING = {"weekday": 1, "starts": "09:00", "ends": "12:30"}
NINE, TEN = "2026-03-09T09:00:00+01:00", "2026-03-09T10:00:00Z"


class Request(NamedTuple):
    """A request and its fixed fingerprints. `path` holds the values from the path."""

    command_type: str
    body: type[StrictModel]
    sent: dict[str, Any]
    path: dict[str, UUID]
    fingerprint: str
    earlier: str

    def __str__(self) -> str:
        return f"{self.command_type} {self.sent}"


def request(
    command_type: str, body: type[StrictModel], sent: dict[str, Any], fixed: str, **path: UUID
) -> Request:
    fingerprint, earlier = fixed.split()
    return Request(command_type, body, sent, path, fingerprint, earlier)


REQUESTS = [
    request(
        "RegisterDoctor",
        RegisterBody,
        ADA | {"visit_types": [CHECKUP]},
        "3b9a87062c91dfa53ee6cfb453a62db4 fa5799329874de7a8fc6762aab9093b7",
    ),
    request(
        "RegisterDoctor",
        RegisterBody,
        ADA | {"visit_types": [LONGER], "policy": {"slot_minutes": 20}},
        "f4409458e05e4f1436caaa9836c48285 94d9c057308ab4f3d145be313d8aad2a",
    ),
    request(
        "UpdateDoctor",
        UpdateBody,
        {"active": False},
        "e4a80c405f6b7ea48cc02eb269233470 1b4e0f999f333f14d62431c1ad0c991d",
        doctor_id=DOCTOR,
    ),
    request(
        "UpdateDoctor",
        UpdateBody,
        {"policy": {"horizon_days": 30}, "visit_types": [CHECKUP]},
        "3b5e2d34831868c4dec23d389c5b7ca7 168873e8cb262ddce2748ab228b45407",
        doctor_id=DOCTOR,
    ),
    request(
        "SetWeeklyHours",
        ScheduleBody,
        {"hours": [MORNING]},
        "80f8a12dadec4cbf6166184ca745dedc ae1e3d29c861ada9b9cb0228b3024b45",
        doctor_id=DOCTOR,
    ),
    request(
        "BlockTime",
        TimeOffBody,
        {"starts_at": NINE, "ends_at": TEN},
        "5a56127c68cc89351dcaff24dc72ba09 801104f8f03c132af2c8af11fa2207d2",
        doctor_id=DOCTOR,
    ),
    request(
        "BookAppointment",
        BookBody,
        {"doctor_id": str(DOCTOR), "starts_at": NINE, "visit_type": "checkup"},
        "ef6972703be31b3c4c6617544eb5eb8f 417820ffde0214e760d8958db948dff9",
        patient_id=PATIENT,
    ),
    request(
        "RescheduleAppointment",
        RescheduleBody,
        {"starts_at": NINE},
        "b0dc4dfc851d8bcd608ea386722c61fa cfd3186ddcf29cc0239d39010f10ae1e",
        appointment_id=APPOINTMENT,
    ),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_a_fingerprint_never_changes(request_: Request) -> None:
    said = request_.body.model_validate(request_.sent).said() | request_.path

    assert fingerprints(KEYS, request_.command_type, said) == (request_.fingerprint, request_.earlier)


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_a_new_optional_field_leaves_fingerprints_unchanged(request_: Request) -> None:
    class Newer(request_.body):  # type: ignore[misc, name-defined]
        room: str | None = None
        urgent: bool = False

    said, newer = (body.model_validate(request_.sent).said() for body in (request_.body, Newer))
    before = fingerprints(KEYS, request_.command_type, said)

    assert fingerprints(KEYS, request_.command_type, newer) == before
    assert fingerprints(KEYS, request_.command_type, newer | {"urgent": False}) != before


def test_a_request_with_every_field_has_one_fingerprint() -> None:
    said = {"doctor_id": DOCTOR, "starts_at": NINE, "visit_type": "checkup", "reason": "x"}

    fingerprint, earlier = fingerprints(KEYS, "BookAppointment", said)

    assert fingerprint == earlier


def models_in(annotation: Any) -> set[type[BaseModel]]:
    """The models of a field's type, at every depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.values()
        return {annotation}.union(*(models_in(field.annotation) for field in fields))
    return set().union(*(models_in(part) for part in getattr(annotation, "__args__", ())))


@pytest.mark.parametrize(
    "body", dict.fromkeys(request.body for request in REQUESTS), ids=lambda body: body.__name__
)
def test_a_body_is_strict_at_every_depth(body: type[StrictModel]) -> None:
    assert [model for model in models_in(body) if model.model_config["extra"] != "forbid"] == []
