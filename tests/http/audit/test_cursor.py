"""`GET /v1/audit` page by page, and the trail's positions in an appointment's history."""

import json
from collections import Counter

from contracts.topics import EVENTS_TOPIC
from tests.clinic import Clinic
from tests.http.asking import booked, get, pointers
from tests.http.audit.exports import BOOKING, Story, export, kept, whole


class TestACursor:
    async def test_continues_without_a_gap_or_a_repeat_while_entries_are_added(
        self, audited: Clinic, story: Story
    ) -> None:
        doctors = [*story.doctors, *[await audited.doctor() for _ in range(4)]]
        await kept(audited)
        patients = [await audited.patient() for _ in doctors]
        seen: list[tuple[str, int, int]] = []
        cursor: dict[str, str] = {}
        completed = 0
        for doctor_id, patient in zip(doctors, patients, strict=True):
            await booked(audited, patient.headers, doctor_id, (await audited.slots(doctor_id))[20])
            await kept(audited)
            for _ in range(4):
                part = await export(audited, **BOOKING, **cursor, limit=3)
                seen += part.places
                completed += part.last["complete"]
                cursor = {"cursor": part.last["next_cursor"]}
        while True:
            part = await export(audited, **cursor)
            seen += part.places
            cursor = {"cursor": part.last["next_cursor"]}
            if not part.entries:
                break

        assert completed >= 1
        assert Counter(seen) == Counter((await export(audited, **BOOKING)).places)
        for partition in range(EVENTS_TOPIC.partitions):
            numbers = [number for _, chain_partition, number in seen if chain_partition == partition]
            assert numbers == list(range(1, len(numbers) + 1))

    async def test_returns_the_same_page_however_often_it_is_used(
        self, audited: Clinic, story: Story
    ) -> None:
        first = await export(audited, **BOOKING, limit=4)
        cursor = first.last["next_cursor"]
        once = await export(audited, cursor=cursor, limit=4)
        await audited.doctor()
        await kept(audited)

        again = await export(audited, cursor=cursor, limit=4)

        assert again.entries == once.entries
        assert (len(once.entries), set(first.places) & set(once.places)) == (4, set())

    async def test_keeps_its_filters(self, audited: Clinic, story: Story) -> None:
        mine = {**BOOKING, "appointment_id": story.appointment_id}
        all_of_it = await whole(audited, **mine)
        first = await export(audited, **mine, limit=1)
        cursor = first.last["next_cursor"]

        for query in ({}, mine):
            rest = await export(audited, cursor=cursor, **query)
            assert first.entries + rest.entries == all_of_it
        other = {"cursor": cursor, "action": "AppointmentBooked"}
        answer = await audited.http.get("/v1/audit", headers=audited.staff, params=other)
        assert pointers(answer) == ["/cursor"]

    async def test_of_another_trail_is_refused(self, audited: Clinic, clinic: Clinic, story: Story) -> None:
        cursor = (await export(audited, **BOOKING)).last["next_cursor"]
        assert (await export(clinic)).entries == []
        answer = await clinic.http.get("/v1/audit", headers=clinic.staff, params={"cursor": cursor})
        assert pointers(answer) == ["/cursor"]


class TestAHistory:
    async def test_gives_each_items_position_in_the_trail(self, audited: Clinic, story: Story) -> None:
        items = (await get(audited.http, f"{story.path}/history", story.patient.headers))["items"]
        entries = await whole(audited, **BOOKING, appointment_id=story.appointment_id)

        places = ("partition", "number", "hash")
        kept = {entry["content"]["command_id"]: {name: entry[name] for name in places} for entry in entries}
        assert len(items) == 3
        for item in items:
            assert list(item["audit"]) == list(places)
            assert item["audit"] == kept[item["command_id"]]
        assert (await get(audited.http, f"{story.path}/history", audited.staff))["items"] == items

    async def test_does_not_wait_for_the_auditor(self, clinic: Clinic) -> None:
        doctor_id, patient = await clinic.doctor(), await clinic.patient()
        path = await booked(clinic, patient.headers, doctor_id, (await clinic.slots(doctor_id))[0])

        [item] = (await get(clinic.http, f"{path}/history", patient.headers))["items"]

        assert (item["event"], item["audit"]) == ("AppointmentBooked", None)

    async def test_shows_the_patient_nobody_elses_id(self, audited: Clinic, story: Story) -> None:
        items = (await get(audited.http, f"{story.path}/history", story.patient.headers))["items"]
        entries = await whole(audited, **BOOKING, appointment_id=story.appointment_id)
        staff_ids = {entry["content"]["actor"]["id"] for entry in entries} - {str(story.patient.id)}
        assert len(staff_ids) == 1
        assert not any(staff_id in json.dumps(items) for staff_id in staff_ids)
