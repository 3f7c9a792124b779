"""The OpenAPI document: complete for every operation, and its examples work on the demo data."""

from typing import Any

from ingress.http.problems import HEADERS, MEANINGS, STATUS, Code
from ingress.openapi.links import LINKS
from tests.clinic import Clinic
from tests.contract_documents.documents import references, resolved
from tests.contract_documents.operations import Operation, operation_of, operations

WRITES = {
    "book_appointment", "reschedule_appointment", "cancel_appointment", "record_outcome",
    "register_doctor", "update_doctor", "set_schedule", "block_time", "unblock_time",
}  # fmt: skip
BODY_PROBLEMS = {Code.MALFORMED_JSON, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE, Code.INVALID_FIELDS}
WRITE_PROBLEMS = {
    Code.IDEMPOTENCY_KEY_MISSING,
    Code.IDEMPOTENCY_KEY_REUSED,
    Code.LOG_UNAVAILABLE,
    Code.STORE_UNAVAILABLE,
    Code.INTERNAL_ERROR,
    Code.UNAUTHENTICATED,
}


def test_every_reference_resolves(openapi: Any) -> None:
    for reference in references(openapi):
        resolved(openapi, reference)


def test_every_operation_is_described(openapi: Any) -> None:
    ids = [operation.id for operation in operations(openapi)]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in openapi["tags"]}
    for operation in operations(openapi):
        assert operation.value["summary"], operation.label
        assert operation.value["description"], operation.label
        assert set(operation.value["tags"]) <= tags, operation.label
        for parameter in operation.value.get("parameters", ()):
            assert parameter["in"] in ("path", "query", "header")
            assert parameter["description"], f"{operation.label} {parameter['name']}"


def test_every_code_is_documented_under_its_status(openapi: Any) -> None:
    assert set(MEANINGS) == set(STATUS) == set(Code)
    assert resolved(openapi, "#/components/schemas/Code")["enum"] == list(Code)
    documented = set()
    for operation in operations(openapi):
        for status, codes in operation.codes().items():
            assert {STATUS[Code(code)] for code in codes} == {int(status)}, operation.label
            documented |= set(codes)
            for code in codes:
                assert set(HEADERS.get(Code(code), ())) <= operation.headers(status), operation.label
    # These belong to no operation: a wrong method, and malformed requests.
    before_routing = {Code.MALFORMED_REQUEST, Code.REQUEST_TIMEOUT, Code.HEADERS_TOO_LARGE}
    assert documented == set(Code) - {Code.METHOD_NOT_ALLOWED} - before_routing


def test_every_error_is_a_problem(openapi: Any) -> None:
    for operation in operations(openapi):
        errors = {status for status in operation.value["responses"] if int(status) >= 400}
        if operation.id in ("live", "ready"):
            errors.remove("503")  # says the same as its 200: which part is down
        assert set(operation.codes()) == errors, operation.label
        for status in errors:
            [problem] = operation.value["responses"][status]["content"].values()
            assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert "500" in errors, operation.label


def test_every_operation_for_somebody_needs_a_bearer_token(openapi: Any) -> None:
    scheme = openapi["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    for operation in operations(openapi):
        secured = operation.value["security"] == [{"bearer": []}]
        assert secured or operation.value["security"] == [], "no token needed, and the document says so"
        assert ("401" in operation.codes()) is (secured or operation.id in ("log_in", "refresh_login"))


def test_every_body_can_be_invalid(openapi: Any) -> None:
    for operation in operations(openapi):
        if "requestBody" in operation.value:
            # Of these the cookie says it all.
            optional = operation.id in ("refresh_login", "log_out")
            assert operation.value["requestBody"].get("required", False) is not optional, operation.label
            assert operation.all_codes() >= BODY_PROBLEMS, operation.label


def test_every_write_is_a_command(openapi: Any) -> None:
    with_key = {o.id for o in operations(openapi) if "Idempotency-Key" in o.parameters("header")}
    # A note is no part of the book.
    assert with_key == WRITES | {"write_note"}
    for id_ in WRITES:
        operation = operation_of(openapi, id_)
        assert operation.parameters("header")["Idempotency-Key"]["required"]
        assert not operation.parameters("header")["Prefer"]["required"]
        assert operation.headers("202") == {"Location", "Retry-After"}
        assert operation.headers("200") == {"Location", "Preference-Applied", "Idempotency-Replayed"}
        assert operation.all_codes() >= WRITE_PROBLEMS, operation.label
        for status in ("200", "202"):
            schema = operation.value["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/CommandResource"}
            assert "get_command" in operation.value["responses"][status]["links"]


def test_operations_that_are_audited_first_can_be_unavailable(openapi: Any) -> None:
    recorded = {
        "find_patients",
        "search_patients",
        "look_up_patients",
        "get_patient",
        "register_patient",
        "change_patient",
        "write_note",
        "list_notes",
        "change_me",
        "forget_me",
        "export_me",
        "change_email",
        "confirm_email",
        "change_phone",
        "confirm_phone",
        "undo",
        "list_appointments",
        "export_audit",
        "begin_login",
        "add_passkey",
        "remove_passkey",
        "make_calendar_link",
        "withdraw_calendar_link",
        "make_doctor_calendar_link",
        "withdraw_doctor_calendar_link",
        "log_in",
    }
    others = {o.id for o in operations(openapi) if Code.LOG_UNAVAILABLE in o.all_codes()} - WRITES
    assert others == recorded


def test_headers_of_reads(openapi: Any) -> None:
    availability = operation_of(openapi, "get_availability")
    assert "If-None-Match" in availability.parameters("header")
    assert availability.headers("200") == availability.headers("304") == {"ETag"}
    assert "Last-Event-ID" in operation_of(openapi, "watch").parameters("header")


def test_links_go_to_parameters_of_operations(openapi: Any) -> None:
    linked = {operation.id for operation in operations(openapi) if _links(operation)}
    assert linked == set(LINKS)
    for operation in operations(openapi):
        for link in _links(operation):
            target = operation_of(openapi, link["operationId"])
            assert set(link["parameters"]) == set(target.parameters("path")), link


def _links(operation: Operation) -> list[Any]:
    return [
        link
        for response in operation.value["responses"].values()
        for link in response.get("links", {}).values()
    ]


def test_fields_are_described_as_they_are_sent(openapi: Any) -> None:
    fields = resolved(openapi, "#/components/schemas/AvailabilityView")["properties"]
    assert list(fields) == ["doctor_id", "time_zone", "visit_type", "from", "to", "days"]
    fields = resolved(openapi, "#/components/schemas/AppointmentView")["properties"]
    assert fields["starts_at"]["format"] == fields["booked_at"]["format"] == "date-time"


async def test_swagger_ui_needs_no_internet(demo: Clinic) -> None:
    page = await demo.http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http://" not in page.text
    assert "https://" not in page.text
    for file in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{file}" in page.text
        assert (await demo.http.get(f"/docs/assets/{file}")).status_code == 200
