"""Staff's notes about a patient: added to and never changed, sealed, gone with the patient."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from cryptography.exceptions import InvalidTag

from contracts.commands import Actor
from contracts.security import NoteWritten, PatientRead
from infra import clock
from infra.crypto.sealing import Column
from infra.keys import Keys
from storage.notes import CONTENT
from tests.clinic import Clinic, instant
from tests.http.asking import get, problem
from tests.http.audit.test_security_events import REQUEST_ID, TRACE, by, on_the_topic
from tests.http.patients.notes import TEXT, count, notes_of, write, written
from tests.http.people import forget
from tests.waiting import until_async


class TestANote:
    async def test_is_kept_as_it_was_written(self, shared: Clinic, staff: Actor) -> None:
        patient, before = await shared.patient(), clock.now()
        response = await write(shared, patient, who=shared.headers(staff))

        assert response.status_code == 201, response.text
        note = response.json()
        assert list(note) == ["id", "patient_id", "text", "written_by", "written_at"]
        assert (note["patient_id"], note["text"]) == (str(patient.id), TEXT)
        assert note["written_by"] == str(staff.id)
        assert before <= instant(note["written_at"]) <= clock.now()
        assert response.headers["cache-control"] == "no-store"
        assert "idempotency-replayed" not in response.headers
        assert await get(shared.http, notes_of(patient), shared.staff) == {
            "items": [note],
            "next_cursor": None,
        }

    async def test_is_listed_before_older_ones_page_by_page(self, shared: Clinic) -> None:
        patient, other = await shared.patient(), await shared.patient()
        notes = [await written(shared, patient, f"Note {number}") for number in range(5)]
        await written(shared, other)
        # Two at the same moment, told apart by their ids.
        await shared.postgres.execute(
            "UPDATE people.notes SET written_at = $1 WHERE id = ANY($2)",
            instant(notes[2]["written_at"]),
            [notes[1]["id"], notes[2]["id"]],
        )

        found: list[Any] = []
        cursor = None
        while True:
            page = await get(shared.http, notes_of(patient), shared.staff, limit=1, cursor=cursor)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            if len(found) == 1:
                await written(shared, patient, "A later note does not shift pages")

        middle = sorted((notes[1]["id"], notes[2]["id"]), reverse=True)
        assert [note["id"] for note in found] == [notes[4]["id"], notes[3]["id"], *middle, notes[0]["id"]]
        assert len(found) == 5

    async def test_is_sealed_under_the_patients_own_key(self, shared: Clinic) -> None:
        patient = await shared.patient()
        note = await written(shared, patient)

        row = await shared.postgres.fetchrow("SELECT * FROM people.notes WHERE id = $1", UUID(note["id"]))

        assert row is not None
        assert b"canary" not in row["content"]
        wrapped = "SELECT data_key FROM people.patients WHERE id = $1"
        keys = Keys.load(shared.settings)
        data_key = keys.unwrap(patient.id, await shared.postgres.fetchval(wrapped, patient.id))
        assert data_key.open(row["content"], CONTENT, row["id"]).decode() == TEXT
        for column, id_ in ((Column("people.notes", "other", None), row["id"]), (CONTENT, patient.id)):
            with pytest.raises(InvalidTag):
                data_key.open(row["content"], column, id_)

    async def test_is_changed_by_nobody(self, shared: Clinic) -> None:
        await written(shared, await shared.patient())
        ingress = await asyncpg.connect(shared.settings.ingress_dsn)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ingress.execute("UPDATE people.notes SET written_by = patient_id")
        await ingress.close()
        patient = await shared.patient()
        for method in ("PUT", "PATCH", "DELETE"):
            answer = await shared.http.request(method, notes_of(patient), headers=shared.staff, json={})
            problem(answer, 405, "method_not_allowed")


class TestARepeat:
    async def test_gets_the_same_note(self, shared: Clinic) -> None:
        patient, key = await shared.patient(), clock.new_id().hex
        first = await write(shared, patient, key=key)

        for same_key in (key, f'"{key}"'):
            again = await write(shared, patient, key=same_key)
            assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
            assert again.content == first.content
        assert await count(shared, patient) == 1

    async def test_of_another_request_is_an_error(self, shared: Clinic) -> None:
        patient, other, key = await shared.patient(), await shared.patient(), clock.new_id().hex
        first = (await write(shared, patient, key=key)).json()

        for whom, text in ((patient, f"{TEXT} "), (patient, "Another"), (other, TEXT)):
            again = await write(shared, whom, text, key)
            problem(again, 422, "idempotency_key_reused")
            assert "canary" not in again.text
        listed = await get(shared.http, notes_of(patient), shared.staff)
        assert listed["items"] == [first]
        assert await count(shared, other) == 0

    async def test_of_somebody_elses_key_is_a_note_of_its_own(self, shared: Clinic, staff: Actor) -> None:
        patient, key = await shared.patient(), clock.new_id().hex
        notes = [
            await write(shared, patient, key=key, who=who) for who in (shared.staff, shared.headers(staff))
        ]

        assert [response.status_code for response in notes] == [201, 201]
        assert await count(shared, patient) == 2

    async def test_at_the_same_time_writes_one(self, shared: Clinic) -> None:
        patient, key = await shared.patient(), clock.new_id().hex

        texts = [TEXT, "Another"] * 4
        found = await asyncio.gather(*(write(shared, patient, text, key) for text in texts))

        statuses = [response.status_code for response in found]
        assert sorted(statuses) == [200] * 3 + [201] + [422] * 4
        [note] = (await get(shared.http, notes_of(patient), shared.staff))["items"]
        for text, response in zip(texts, found, strict=True):
            if text == note["text"]:
                assert response.json() == note
            else:
                problem(response, 422, "idempotency_key_reused")


class TestAForgottenPatient:
    async def test_has_no_notes(self, shared: Clinic) -> None:
        patient, other, key = await shared.patient(), await shared.patient(), clock.new_id().hex
        await write(shared, patient, key=key)
        kept = await written(shared, other)

        await forget(shared, patient)

        assert await count(shared, patient) == 0
        problem(await shared.http.get(notes_of(patient), headers=shared.staff), 404, "not_found")
        for again in (await write(shared, patient, key=key), await write(shared, patient)):
            problem(again, 404, "not_found")
        assert await count(shared, patient) == 0
        assert (await get(shared.http, notes_of(other), shared.staff))["items"] == [kept]

    async def test_at_this_moment_has_none_either(self, shared: Clinic) -> None:
        patient = await shared.patient()
        async with shared.postgres.acquire() as forgetting, forgetting.transaction():
            await forgetting.execute(
                "UPDATE people.patients SET address_index = NULL, data_key = NULL, key_epoch = NULL,"
                " profile = NULL, forgotten_at = now() WHERE id = $1",
                patient.id,
            )
            writing = asyncio.create_task(write(shared, patient))
            waits = (
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ $1)"
            )
            await until_async(lambda: shared.postgres.fetchval(waits, "people.notes"), "the note waits", 10)

        problem(await writing, 404, "not_found")
        assert await count(shared, patient) == 0


async def test_writing_and_reading_are_on_the_security_log(shared: Clinic, staff: Actor) -> None:
    patient, who = await shared.patient(), {**shared.headers(staff), **TRACE}
    key = clock.new_id().hex
    note = (await write(shared, patient, key=key, who=who)).json()
    # Nothing to wait for: once there is an answer, the event is on the topic.
    [event] = await by(shared, staff)
    assert isinstance(event, NoteWritten)
    assert (event.patient_id, str(event.note_id)) == (patient.id, note["id"])
    assert event.request_id == REQUEST_ID

    await write(shared, patient, key=key, who=who)
    await write(shared, patient, "Another", key, who)
    assert len(await by(shared, staff)) == 1, "a repeat writes nothing"
    await get(shared.http, notes_of(patient), who)

    [_, read] = await by(shared, staff)
    assert isinstance(read, PatientRead)
    assert read.patient_id == patient.id
    assert b"canary" not in await on_the_topic(shared)
