"""The examples of the OpenAPI document: they validate against their schemas and work on the demo data."""

from typing import Any
from uuid import uuid5

import pytest

from contracts.commands import derived_id
from ingress.commands.submit import _KEYS as KEYS
from ingress.openapi import examples
from ops.tokens import STAFF_ID
from tests.clinic import Clinic
from tests.contract_documents.documents import Schemas
from tests.contract_documents.operations import media, operation_of, operations


def test_every_body_of_json_has_examples_of_its_schema(openapi: Any) -> None:
    schemas = Schemas(openapi)
    for operation in operations(openapi):
        if operation.value["tags"] == ["operation"]:
            continue
        for where, value in media(operation):
            shown = value.get("examples", {})
            assert shown or value["schema"] == {"type": "string"}, where
            for name, example in shown.items():
                assert schemas.errors(value["schema"], example["value"]) == [], (where, name)


def test_every_example_of_a_parameter_is_of_its_schema(openapi: Any) -> None:
    schemas = Schemas(openapi)
    for operation in operations(openapi):
        for parameter in operation.value.get("parameters", ()):
            if "example" in parameter:
                found = schemas.errors(parameter["schema"], parameter["example"])
                assert found == [], (operation.label, parameter["name"])


def test_the_ids_of_examples_are_those_of_the_demo() -> None:
    def command(key: str) -> Any:
        return uuid5(KEYS, f"staff:{STAFF_ID}:{key}")

    assert str(derived_id(command("demo-doctor-1"), "doctor")) == examples.DOCTOR_ID
    assert str(derived_id(command("demo-doctor-2"), "doctor")) == examples.OTHER_DOCTOR_ID
    assert str(derived_id(command("demo-appointment-1"), "appointment")) == examples.APPOINTMENT_ID


async def test_the_examples_of_bodies_work_on_the_demo_data(demo: Clinic, openapi: Any) -> None:
    patient = (await demo.patient()).headers
    booking = _examples(openapi, "book_appointment")["a check-up"]
    booked = await demo.confirmed("POST", "/v1/appointments", patient, booking)
    path = booked["links"]["appointment"]
    for move in _examples(openapi, "reschedule_appointment").values():
        await demo.confirmed("POST", f"{path}/reschedule", patient, move)
    await demo.confirmed("DELETE", path, patient)
    doctor = f"/v1/doctors/{examples.DOCTOR_ID}"
    for method, path, id_ in (
        ("POST", "/v1/doctors", "register_doctor"),
        ("PATCH", doctor, "update_doctor"),
    ):
        for body in _examples(openapi, id_).values():
            await demo.confirmed(method, path, demo.staff, body)


def _examples(openapi: Any, id_: str) -> dict[str, Any]:
    content = operation_of(openapi, id_).value["requestBody"]["content"]["application/json"]
    return {name: example["value"] for name, example in content["examples"].items()}


@pytest.mark.parametrize("id_", ["get_doctor", "get_schedule", "get_availability", "get_appointment"])
async def test_the_examples_of_parameters_work_on_the_demo_data(demo: Clinic, openapi: Any, id_: str) -> None:
    operation = operation_of(openapi, id_)
    path = operation.label.split()[1]
    for name, parameter in operation.parameters("path").items():
        path = path.replace(f"{{{name}}}", parameter["example"])
    query = {name: parameter["example"] for name, parameter in operation.parameters("query").items()}
    response = await demo.http.get(path, params=query, headers=demo.staff)
    assert response.status_code == 200, response.text
    schema = operation.value["responses"]["200"]["content"]["application/json"]["schema"]
    assert Schemas(openapi).errors(schema, response.json()) == []
