"""Notes that are refused: to whom, and for which requests."""

import json
from typing import Any

from contracts.commands import Actor
from infra import clock
from ingress.http.parameters import cursor_after
from tests.clinic import Clinic, Patient
from tests.http.asking import JSON, echoed, pointers, problem
from tests.http.audit.test_security_events import by
from tests.http.patients.notes import TEXT, count, notes_of, write
from tests.http.protocol.bad_bodies import LONE


async def test_a_note_is_refused_to_patients_and_to_nobody(shared: Clinic) -> None:
    patient = await shared.patient()
    for method in ("GET", "POST"):
        asked = shared.http.build_request(method, notes_of(patient), headers=patient.headers)
        problem(await shared.http.send(asked), 403, "forbidden")
        problem(await shared.http.request(method, notes_of(patient)), 401, "unauthenticated")
    assert await count(shared, patient) == 0


async def test_a_note_is_refused_without_a_key_of_its_own(shared: Clinic) -> None:
    patient, body = await shared.patient(), {"text": TEXT}
    keys: list[list[tuple[str, str]]] = [
        [],
        [("Idempotency-Key", "")],
        [("Idempotency-Key", "x" * 256)],
        [("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
    ]
    for sent in keys:
        headers = [*shared.staff.items(), *sent]
        answer = await shared.http.post(notes_of(patient), headers=headers, json=body)
        problem(answer, 400, "idempotency_key_missing")
    assert await count(shared, patient) == 0


async def test_a_note_is_refused_for_a_text_that_is_none(shared: Clinic) -> None:
    patient = await shared.patient()
    texts: list[Any] = [
        None, 4711, True, [TEXT], {}, "", "  ", "\n", "a\0b", "a\rb", "a\x85b", LONE, "\u200b",
        "x" * 2_001,
    ]  # fmt: skip
    bodies = [
        *(({"text": text}, "/text") for text in texts),
        ({}, "/text"),
        ({"text": TEXT, "written_by": str(patient.id)}, "/written_by"),
    ]
    headers = {**shared.staff, "Idempotency-Key": "key", "Content-Type": JSON}
    for body, expected in bodies:
        # ASCII: a lone surrogate has no other encoding.
        content = json.dumps(body).encode()
        answer = await shared.http.post(notes_of(patient), headers=headers, content=content)
        assert pointers(answer) == [expected], body
        assert echoed(answer, body) == []
    assert await count(shared, patient) == 0
    assert (await write(shared, patient, "x" * 2_000)).status_code == 201


async def test_a_note_is_refused_for_a_cursor_or_limit_that_is_none(shared: Clinic) -> None:
    path = notes_of(await shared.patient())
    cursors = [
        "x",
        "ä",
        cursor_after(["x", "y"]),
        cursor_after([clock.now().isoformat(), "y"]),
        "9" * 3_000,
    ]
    for query in [*({"cursor": cursor} for cursor in cursors), {"limit": "0"}, {"limit": "201"}]:
        [name] = query
        answer = await shared.http.get(path, headers=shared.staff, params=query)
        assert pointers(answer) == [f"/{name}"], query


async def test_a_note_is_refused_about_an_unknown_patient(shared: Clinic, staff: Actor) -> None:
    nobody = Patient(clock.new_id(), {})
    who = shared.headers(staff)
    problem(await write(shared, nobody, who=who), 404, "not_found")
    problem(await shared.http.get(notes_of(nobody), headers=who), 404, "not_found")
    assert await count(shared, nobody) == 0
    assert await by(shared, staff) == []
