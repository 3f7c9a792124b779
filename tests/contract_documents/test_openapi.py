"""The OpenAPI document: complete for every operation, and its examples work on the demo data."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid5

import pytest

from contracts.commands import made_id
from infra import clock
from ingress import examples
from ingress.links import LINKS
from ingress.problems import HEADERS, MEANINGS, MEDIA_TYPE, STATUS, Code
from ingress.submit import _KEYS as KEYS
from ops.tokens import STAFF_ID, patient_token
from tests.clinic import Clinic
from tests.contract_documents.documents import Schemas, references, resolved

WRITES = {
    *("book_appointment", "reschedule_appointment", "cancel_appointment", "record_outcome"),
    *("register_doctor", "update_doctor", "set_schedule", "block_time", "unblock_time"),
}
BODY_PROBLEMS = {
    *(Code.MALFORMED_JSON, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE, Code.INVALID_FIELDS)
}
WRITE_PROBLEMS = {
    *(Code.IDEMPOTENCY_KEY_MISSING, Code.IDEMPOTENCY_KEY_REUSED, Code.LOG_UNAVAILABLE),
    *(Code.STORE_UNAVAILABLE, Code.INTERNAL_ERROR, Code.UNAUTHENTICATED),
}


class Operation(NamedTuple):
    """An operation of the document."""

    label: str
    value: dict[str, Any]

    @property
    def id(self) -> str:
        name: str = self.value["operationId"]
        return name

    def parameters(self, place: str) -> dict[str, Any]:
        return {p["name"]: p for p in self.value.get("parameters", ()) if p["in"] == place}

    def codes(self) -> dict[str, list[str]]:
        """The problem codes, by status."""
        return {
            status: response["content"][MEDIA_TYPE]["schema"]["allOf"][1]["properties"]["code"]["enum"]
            for status, response in self.value["responses"].items()
            if MEDIA_TYPE in response.get("content", {})
        }

    def all_codes(self) -> set[str]:
        return {code for codes in self.codes().values() for code in codes}

    def headers(self, status: str) -> set[str]:
        return set(self.value["responses"][status].get("headers", {}))


def operations(document: Any) -> list[Operation]:
    return [
        Operation(f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def one(document: Any, id_: str) -> Operation:
    return next(operation for operation in operations(document) if operation.id == id_)


def media(operation: Operation) -> Iterator[tuple[str, Any]]:
    """Every body of the operation, by where it is."""
    parts = {"request": operation.value.get("requestBody", {}), **operation.value["responses"]}
    for where, part in parts.items():
        for value in part.get("content", {}).values():
            yield f"{operation.label} {where}", value


def test_every_reference_resolves(openapi: Any) -> None:
    for reference in references(openapi):
        resolved(openapi, reference)


def test_every_operation_says_what_it_is_for(openapi: Any) -> None:
    ids = [operation.id for operation in operations(openapi)]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in openapi["tags"]}
    for operation in operations(openapi):
        assert operation.value["summary"], operation.label
        assert operation.value["description"], operation.label
        assert set(operation.value["tags"]) <= tags, operation.label
        for parameter in operation.value.get("parameters", ()):
            assert parameter["in"] in ("path", "query", "header")


def test_every_code_is_documented_under_its_status(openapi: Any) -> None:
    assert set(MEANINGS) == set(STATUS) == set(Code)
    assert resolved(openapi, "#/components/schemas/Code")["enum"] == list(Code)
    told = set()
    for operation in operations(openapi):
        for status, codes in operation.codes().items():
            assert {STATUS[Code(code)] for code in codes} == {int(status)}, operation.label
            told |= set(codes)
            for code in codes:
                assert set(HEADERS.get(Code(code), ())) <= operation.headers(status), operation.label
    # A method that a path does not have is of no operation.
    assert told == set(Code) - {Code.METHOD_NOT_ALLOWED}


def test_every_error_is_a_problem(openapi: Any) -> None:
    for operation in operations(openapi):
        errors = {status for status in operation.value["responses"] if int(status) >= 400}
        if operation.id == "ready":
            errors.remove("503")  # says the same as its 200: which part is down
        assert set(operation.codes()) == errors, operation.label
        assert "500" in errors, operation.label


def test_every_operation_for_somebody_needs_a_bearer_token(openapi: Any) -> None:
    scheme = openapi["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    for operation in operations(openapi):
        secured = operation.value.get("security") == [{"bearer": []}]
        assert ("401" in operation.codes()) is secured, operation.label


def test_every_body_can_be_wrong(openapi: Any) -> None:
    for operation in operations(openapi):
        if "requestBody" in operation.value:
            assert operation.value["requestBody"]["required"]
            assert operation.all_codes() >= BODY_PROBLEMS, operation.label


def test_every_write_is_a_command(openapi: Any) -> None:
    with_key = {o.id for o in operations(openapi) if "Idempotency-Key" in o.parameters("header")}
    assert with_key == WRITES
    for id_ in WRITES:
        operation = one(openapi, id_)
        assert operation.parameters("header")["Idempotency-Key"]["required"]
        assert not operation.parameters("header")["Prefer"]["required"]
        assert operation.headers("202") == {"Location", "Retry-After"}
        assert operation.headers("200") == {"Location", "Preference-Applied", "Idempotency-Replayed"}
        assert operation.all_codes() >= WRITE_PROBLEMS, operation.label
        for status in ("200", "202"):
            schema = operation.value["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/CommandResource"}
            assert "get_command" in operation.value["responses"][status]["links"]


def test_what_has_to_be_recorded_is_not_answered_without(openapi: Any) -> None:
    recorded = {
        *("find_patients", "get_patient", "register_patient", "change_patient", "change_me", "forget_me"),
        *("list_appointments", "export_audit"),
    }
    others = {o.id for o in operations(openapi) if Code.LOG_UNAVAILABLE in o.all_codes()} - WRITES
    assert others == recorded


def test_headers_of_reads(openapi: Any) -> None:
    availability = one(openapi, "get_availability")
    assert "If-None-Match" in availability.parameters("header")
    assert availability.headers("200") == availability.headers("304") == {"ETag"}
    assert "Last-Event-ID" in one(openapi, "watch").parameters("header")


def test_links_go_to_parameters_of_operations(openapi: Any) -> None:
    linked = {operation.id for operation in operations(openapi) if _links(operation)}
    assert linked == set(LINKS)
    for operation in operations(openapi):
        for link in _links(operation):
            target = one(openapi, link["operationId"])
            assert set(link["parameters"]) == set(target.parameters("path")), link


def _links(operation: Operation) -> list[Any]:
    return [
        link
        for response in operation.value["responses"].values()
        for link in response.get("links", {}).values()
    ]


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


def test_what_is_sent_is_what_is_described(openapi: Any) -> None:
    fields = resolved(openapi, "#/components/schemas/AvailabilityView")["properties"]
    assert list(fields) == ["doctor_id", "time_zone", "visit_type", "from", "to", "days"]
    fields = resolved(openapi, "#/components/schemas/AppointmentView")["properties"]
    assert fields["starts_at"]["format"] == fields["booked_at"]["format"] == "date-time"


def test_the_ids_of_examples_are_those_of_the_demo() -> None:
    def command(key: str) -> Any:
        return uuid5(KEYS, f"staff:{STAFF_ID}:{key}")

    assert str(made_id(command("demo-doctor-1"), "doctor")) == examples.DOCTOR_ID
    assert str(made_id(command("demo-doctor-2"), "doctor")) == examples.OTHER_DOCTOR_ID
    assert str(made_id(command("demo-appointment-1"), "appointment")) == examples.APPOINTMENT_ID


async def test_the_examples_of_bodies_work_on_the_demo_data(demo: Clinic, openapi: Any) -> None:
    token = await patient_token(demo.settings, f"{clock.new_id().hex}@example.org")
    patient = {"Authorization": f"Bearer {token}"}
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
    content = one(openapi, id_).value["requestBody"]["content"]["application/json"]
    return {name: example["value"] for name, example in content["examples"].items()}


@pytest.mark.parametrize("id_", ["get_doctor", "get_schedule", "get_availability", "get_appointment"])
async def test_the_examples_of_parameters_work_on_the_demo_data(demo: Clinic, openapi: Any, id_: str) -> None:
    operation = one(openapi, id_)
    path = operation.label.split()[1]
    for name, parameter in operation.parameters("path").items():
        path = path.replace(f"{{{name}}}", parameter["example"])
    query = {name: parameter["example"] for name, parameter in operation.parameters("query").items()}
    response = await demo.http.get(path, params=query, headers=demo.staff)
    assert response.status_code == 200, response.text
    schema = operation.value["responses"]["200"]["content"]["application/json"]["schema"]
    assert Schemas(openapi).errors(schema, response.json()) == []


async def test_swagger_ui_needs_no_internet(demo: Clinic) -> None:
    page = await demo.http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http://" not in page.text
    assert "https://" not in page.text
    for file in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{file}" in page.text
        assert (await demo.http.get(f"/docs/assets/{file}")).status_code == 200
