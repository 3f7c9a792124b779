"""`GET /v1/audit`: the trail that a real auditor writes, for staff, and its positions in a history."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest

from auditor.chain.hash_chain import entry_hash, first_hash
from auditor.chain.signing import Signer
from auditor.main import running_auditor
from contracts.audit import Chain, HeadFile, canonical
from contracts.commands import Actor, ActorKind
from infra import clock
from tests.clinic import Clinic
from tests.http.asking import get, pointers, problem
from tests.http.audit.exports import BOOKING, TIMEOUT_S, Story, export, kept, whole
from tests.waiting import until_async


class TestTheTrail:
    async def test_names_actor_action_and_command(self, audited: Clinic, story: Story) -> None:
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
        assert {entry["command_id"] for entry in history} == {
            entry["content"]["command_id"] for entry in found.entries
        }
        assert found.last["complete"]

    async def test_has_the_reads_of_staff(self, audited: Clinic, story: Story) -> None:
        staff = Actor(kind=ActorKind.STAFF, id=clock.new_id())
        await get(audited.http, f"/v1/patients/{story.patient.id}", audited.headers(staff))
        entries = "SELECT count(*) FROM audit.entries WHERE chain = 'security' AND actor_id = $1"

        async def there() -> bool:
            return bool(await audited.postgres.fetchval(entries, staff.id))

        await until_async(there, "the entry of the read", TIMEOUT_S)
        [entry] = await whole(audited, chain="security", patient_id=str(story.patient.id))
        content = entry["content"]
        assert (content["action"], content["actor"]) == (
            "PatientRead",
            {"kind": "staff", "id": str(staff.id)},
        )
        own = await whole(audited, chain="security", actor_id=str(staff.id))
        assert own == [entry]

    async def test_can_be_verified_by_its_recipient(self, audited: Clinic, story: Story) -> None:
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
            return {chain: entry["hash"] for chain, entry in newest.items()} == {
                chain: head["last_hash"] for chain, head in heads.items()
            }

        await until_async(signed, "a head of each chain as it ends", TIMEOUT_S)
        found = await export(audited, limit=1)
        heads = HeadFile.model_validate_json(json.dumps({"heads": found.last["heads"]})).heads
        assert heads
        assert all(keys.signed(head, head.key_id, bytes.fromhex(head.signature)) for head in heads)

    async def test_contains_nothing_personal(self, audited: Clinic, story: Story) -> None:
        email = (await get(audited.http, "/v1/me", story.patient.headers))["email"]
        text = json.dumps(await whole(audited)).lower()
        for secret in ("canary", "knee", email, email.partition("@")[0]):
            assert secret not in text

    async def test_is_cut_off_where_it_cannot_be_read_to_its_end(self, clinic: Clinic) -> None:
        await clinic.doctor()
        async with running_auditor(clinic.settings):
            await kept(clinic)
        await clinic.postgres.execute("REVOKE SELECT ON audit.heads FROM PUBLIC, clinic_ingress")

        for encoding in ("gzip", "identity"):
            with pytest.raises(httpx.RemoteProtocolError):
                await clinic.http.get("/v1/audit", headers={**clinic.staff, "accept-encoding": encoding})
        await clinic.postgres.execute("REVOKE SELECT ON audit.entries FROM PUBLIC, clinic_ingress")
        answer = await clinic.http.get("/v1/audit", headers=clinic.staff)
        assert answer.status_code == 500, "nothing of it was sent"

    async def test_is_for_staff_only(self, audited: Clinic, story: Story) -> None:
        problem(await audited.http.get("/v1/audit", headers=story.patient.headers), 403, "forbidden")
        problem(await audited.http.get("/v1/audit"), 401, "unauthenticated")


class TestFilters:
    async def test_each_returns_only_what_matches(self, audited: Clinic, story: Story) -> None:
        entries = await whole(audited, **BOOKING)
        contents = [entry["content"] for entry in entries]
        booking = next(
            content for content in contents if content["about"]["appointment_id"] == story.appointment_id
        )
        staff_id = next(content["actor"]["id"] for content in contents if content["actor"]["kind"] == "staff")
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
        assert [entry["content"]["about"]["appointment_id"] for entry in both] == [story.appointment_id]
        for nothing in ({"actor_id": str(clock.new_id())}, {"action": "Nothing"}):
            assert await whole(audited, **nothing) == []

    async def test_by_time_is_from_inclusive_until_exclusive_and_by_whole_days(
        self, audited: Clinic, story: Story
    ) -> None:
        entries = await whole(audited, **BOOKING)
        times = sorted(entry["content"]["at"] for entry in entries)
        middle = times[len(times) // 2]
        early, late = [
            [entry for entry in entries if (entry["content"]["at"] < middle) is before]
            for before in (True, False)
        ]
        assert await whole(audited, **BOOKING, to=middle) == early
        assert await whole(audited, **BOOKING, from_=middle) == late
        today = clock.now().date()
        days = {"from_": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))}
        assert await whole(audited, **BOOKING, **days) == entries
        assert await whole(audited, from_="2020-01-01", to="2020-12-31") == []

    async def test_that_are_wrong_are_named(self, audited: Clinic) -> None:
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
