"""`GET /v1/audit`: the trail as a real auditor keeps it, for staff; and where it stands in a history."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest

from auditor.chain import entry_hash, first_hash
from auditor.main import running_auditor
from auditor.signing import Signer
from contracts.audit import Chain, HeadFile, canonical
from contracts.commands import Actor, ActorKind
from contracts.topics import EVENTS
from infra import clock
from infra.settings import Settings
from tests.clinic import Clinic, Patient
from tests.clinic import clinic as running_clinic
from tests.http.asking import booked, cancel, get, pointers, problem, reschedule
from tests.waiting import until_async

TIMEOUT_S = 60.0
# Exports are recorded, too, as being about what they asked for: in the other chain.
BOOKING = {"chain": "booking"}

Entry = dict[str, Any]


class Export(NamedTuple):
    """An answer: its entries, and its last line."""

    entries: list[Entry]
    last: dict[str, Any]

    @property
    def places(self) -> list[tuple[str, int, int]]:
        return [(one["chain"], one["partition"], one["number"]) for one in self.entries]

    @property
    def actions(self) -> list[str]:
        return [one["content"]["action"] for one in self.entries]


async def export(clinic: Clinic, **query: Any) -> Export:
    """One answer. `from_` stands for the query's `from`."""
    params = {name.rstrip("_"): value for name, value in query.items()}
    answer = await clinic.http.get("/v1/audit", headers=clinic.staff, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    *entries, last = [json.loads(line) for line in answer.text.splitlines()]
    assert list(last) == ["heads", "complete", "next_cursor"]
    assert all(
        list(entry) == ["chain", "partition", "number", "recorded_at", "hash", "content"] for entry in entries
    )
    return Export(entries, last)


async def whole(clinic: Clinic, **query: Any) -> list[Entry]:
    """All entries, answer after answer."""
    found: list[Entry] = []
    while True:
        part = await export(clinic, **query)
        found += part.entries
        if part.last["complete"]:
            return found
        query = {**query, "cursor": part.last["next_cursor"]}


@pytest.fixture(scope="module")
async def audited(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic with an auditor that signs often."""
    often = settings.model_copy(update={"audit_head_interval_s": 0.2})
    async with running_clinic(often, template) as clinic, running_auditor(clinic.settings):
        yield clinic


async def kept(clinic: Clinic) -> None:
    """That the auditor keeps what has happened in the book by now."""
    count = await clinic.postgres.fetchval("SELECT count(*) FROM booking.events")

    async def there() -> bool:
        kept = await clinic.postgres.fetchval("SELECT count(*) FROM audit.entries WHERE chain = 'booking'")
        return bool(kept >= count)

    await until_async(there, f"{count} entries are kept", TIMEOUT_S)


class Story(NamedTuple):
    """An appointment that was booked by its patient, moved to another doctor, and cancelled by staff."""

    patient: Patient
    doctors: list[str]
    path: str

    @property
    def appointment_id(self) -> str:
        return self.path.rpartition("/")[2]


@pytest.fixture(scope="module")
async def story(audited: Clinic) -> Story:
    doctors = [await audited.doctor(name=f"Dr. Canary {number}") for number in range(2)]
    patient = await audited.patient()
    free = await audited.slots(doctors[0])
    path = await booked(audited, patient.headers, doctors[0], free[0], reason="My canary knee")
    await reschedule(audited, path, patient.headers, free[4], doctor_id=doctors[1])
    await cancel(audited, path, audited.staff, reason="doctor_ill")
    await kept(audited)
    return Story(patient, doctors, path)


class TestTheTrail:
    async def test_tells_who_did_what_from_which_command(self, audited: Clinic, story: Story) -> None:
        found = await export(audited, **BOOKING, appointment_id=story.appointment_id)

        assert Counter(found.actions) == Counter(
            ["AppointmentBooked", "AppointmentRescheduled", "AppointmentCancelled"]
        )
        by_action = {entry["content"]["action"]: entry["content"] for entry in found.entries}
        booking, cancelling = by_action["AppointmentBooked"], by_action["AppointmentCancelled"]
        assert booking["actor"] == {"kind": "patient", "id": str(story.patient.id)}
        assert cancelling["actor"]["kind"] == "staff"
        assert by_action["AppointmentRescheduled"]["effect"]["before"]["doctor_id"] == story.doctors[0]
        history = (await get(audited.http, f"{story.path}/history", story.patient.headers))["items"]
        assert {one["command_id"] for one in history} == {
            entry["content"]["command_id"] for entry in found.entries
        }
        assert found.last["complete"]

    async def test_has_what_staff_read(self, audited: Clinic, story: Story) -> None:
        staff = Actor(kind=ActorKind.STAFF, id=clock.new_id())
        await get(audited.http, f"/v1/patients/{story.patient.id}", audited.headers(staff))
        entries = "SELECT count(*) FROM audit.entries WHERE chain = 'security' AND actor_id = $1"

        async def there() -> bool:
            return bool(await audited.postgres.fetchval(entries, staff.id))

        await until_async(there, "the entry of the read", TIMEOUT_S)
        [entry] = await whole(audited, chain="security", patient_id=str(story.patient.id))
        content = entry["content"]
        assert (content["action"], content["actor"]) == (
            *("PatientRead", {"kind": "staff", "id": str(staff.id)}),
        )
        own = await whole(audited, chain="security", actor_id=str(staff.id))
        assert own == [entry]

    async def test_can_be_checked_by_who_has_it(self, audited: Clinic, story: Story) -> None:
        entries = await whole(audited, **BOOKING)

        last: dict[int, bytes] = {}
        for entry in entries:
            partition = entry["partition"]
            before = last.get(partition) or first_hash(Chain.BOOKING, partition)
            last[partition] = entry_hash(before, canonical(entry["content"]))
            assert last[partition].hex() == entry["hash"]
        assert len(last) >= 1
        assert len(entries) >= 7

    async def test_ends_with_signed_heads(self, audited: Clinic, story: Story) -> None:
        keys = Signer.load(audited.settings.audit_key_file).public()

        async def signed() -> bool:
            found = await export(audited, **BOOKING)
            newest = {entry["partition"]: entry for entry in found.entries}
            heads = {head["partition"]: head for head in found.last["heads"]}
            return {place: entry["hash"] for place, entry in newest.items()} == {
                place: head["last_hash"] for place, head in heads.items()
            }

        await until_async(signed, "a head of each chain as it ends", TIMEOUT_S)
        found = await export(audited, limit=1)
        heads = HeadFile.model_validate_json(json.dumps({"heads": found.last["heads"]})).heads
        assert heads
        assert all(keys.signed(head, head.key_id, bytes.fromhex(head.signature)) for head in heads)

    async def test_says_nothing_that_is_personal(self, audited: Clinic, story: Story) -> None:
        email = (await get(audited.http, "/v1/me", story.patient.headers))["email"]
        text = json.dumps(await whole(audited)).lower()
        for secret in ("canary", "knee", email, email.partition("@")[0]):
            assert secret not in text

    async def test_that_cannot_be_read_to_its_end_is_cut_off(self, clinic: Clinic) -> None:
        await clinic.doctor()
        async with running_auditor(clinic.settings):
            await kept(clinic)
        await clinic.postgres.execute("REVOKE SELECT ON audit.entries FROM PUBLIC, clinic_ingress")

        with pytest.raises(httpx.RemoteProtocolError):
            await clinic.http.get("/v1/audit", headers=clinic.staff)

    async def test_is_for_staff_only(self, audited: Clinic, story: Story) -> None:
        problem(await audited.http.get("/v1/audit", headers=story.patient.headers), 403, "forbidden")
        problem(await audited.http.get("/v1/audit"), 401, "unauthenticated")


class TestFilters:
    async def test_each_leaves_what_it_names(self, audited: Clinic, story: Story) -> None:
        entries = await whole(audited, **BOOKING)
        contents = [entry["content"] for entry in entries]
        booking = next(one for one in contents if one["about"]["appointment_id"] == story.appointment_id)
        staff_id = next(one["actor"]["id"] for one in contents if one["actor"]["kind"] == "staff")
        for name, value, path in (
            ("actor_id", str(story.patient.id), ("actor", "id")),
            ("actor_id", staff_id, ("actor", "id")),
            ("appointment_id", story.appointment_id, ("about", "appointment_id")),
            ("doctor_id", story.doctors[1], ("about", "doctor_id")),
            ("patient_id", str(story.patient.id), ("about", "patient_id")),
            ("command_id", booking["command_id"], ("command_id",)),
            ("action", "DoctorRegistered", ("action",)),
        ):
            expected = [entry for entry in entries if at(entry["content"], path) == value]
            assert 0 < len(expected) < len(entries)
            assert await whole(audited, **BOOKING, **{name: value}) == expected, name
            assert await whole(audited, **BOOKING, **{name: value}, limit=1) == expected, name
        both = await whole(audited, doctor_id=story.doctors[0], action="AppointmentBooked")
        assert [one["content"]["about"]["appointment_id"] for one in both] == [story.appointment_id]
        for nothing in ({"actor_id": str(clock.new_id())}, {"action": "Nothing"}):
            assert await whole(audited, **nothing) == []

    async def test_by_time_is_from_inclusive_until_exclusive_and_by_whole_days(
        self, audited: Clinic, story: Story
    ) -> None:
        entries = await whole(audited, **BOOKING)
        times = sorted(entry["content"]["at"] for entry in entries)
        middle = times[len(times) // 2]
        early, late = [
            [one for one in entries if (one["content"]["at"] < middle) is before] for before in (True, False)
        ]
        assert await whole(audited, **BOOKING, to=middle) == early
        assert await whole(audited, **BOOKING, from_=middle) == late
        today = clock.now().date()
        days = {"from_": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))}
        assert await whole(audited, **BOOKING, **days) == entries
        assert await whole(audited, from_="2020-01-01", to="2020-12-31") == []

    async def test_that_are_wrong_are_told(self, audited: Clinic) -> None:
        for query, expected in (
            ({"chain": "chain"}, ["/chain"]),
            ({"from": "yesterday"}, ["/from"]),
            ({"to": "17"}, ["/to"]),
            ({"actor_id": "me"}, ["/actor_id"]),
            ({"action": "a b"}, ["/action"]),
            ({"limit": 0}, ["/limit"]),
            ({"cursor": "cursor"}, ["/cursor"]),
            ({"cursor": ""}, ["/cursor"]),
        ):
            answer = await audited.http.get("/v1/audit", headers=audited.staff, params=query)
            assert pointers(answer) == expected


def at(content: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        content = content[name]
    return content


class TestACursor:
    async def test_goes_on_without_a_gap_or_a_repeat_while_entries_come(
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
        for partition in range(EVENTS.partitions):
            numbers = [number for _, place, number in seen if place == partition]
            assert numbers == list(range(1, len(numbers) + 1))

    async def test_gives_the_same_again_however_often_it_is_asked(
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
    async def test_says_where_the_trail_has_each_item(self, audited: Clinic, story: Story) -> None:
        items = (await get(audited.http, f"{story.path}/history", story.patient.headers))["items"]
        entries = await whole(audited, **BOOKING, appointment_id=story.appointment_id)

        places = ("partition", "number", "hash")
        kept = {one["content"]["command_id"]: {name: one[name] for name in places} for one in entries}
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

    async def test_tells_the_patient_nobody_elses_id(self, audited: Clinic, story: Story) -> None:
        items = (await get(audited.http, f"{story.path}/history", story.patient.headers))["items"]
        entries = await whole(audited, **BOOKING, appointment_id=story.appointment_id)
        staff_ids = {one["content"]["actor"]["id"] for one in entries} - {str(story.patient.id)}
        assert len(staff_ids) == 1
        assert not any(staff_id in json.dumps(items) for staff_id in staff_ids)
