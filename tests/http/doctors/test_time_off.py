"""Time off: added by staff, never over a booking unless they confirm it, and removed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.keys import Keys
from tests.clinic import Clinic, data, instant, records
from tests.http.asking import RESOURCE, booked, booking, cancel, events_of, get, pointers, problem
from tests.waiting import until_async

NOTE = "At the dentist's: a root canal, back at noon"


async def take(clinic: Clinic, doctor_id: str, starts_at: str, ends_at: str, **fields: Any) -> str:
    """Add time off, which has to be confirmed: its path."""
    path = f"/v1/doctors/{doctor_id}/time-off"
    body = {"starts_at": starts_at, "ends_at": ends_at, **fields}
    return f"{path}/{(await clinic.confirmed('POST', path, clinic.staff, body))['time_off_id']}"


async def calendar(clinic: Clinic, doctor_id: str, first: str, last: str) -> Any:
    path = f"/v1/doctors/{doctor_id}/calendar"
    return await get(clinic.http, path, clinic.staff, from_=first[:10], to=last[:10])


class TestTimeOff:
    async def test_blocks_its_slots_until_it_is_removed(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        body = {"starts_at": free[4], "ends_at": free[8]}
        path = f"/v1/doctors/{doctor_id}/time-off"

        resource = (await shared.send("POST", path, shared.staff, body, key="away")).json()

        assert (list(resource), resource["type"], resource["state"]) == (RESOURCE, "BlockTime", "confirmed")
        assert (resource["doctor_id"], resource["appointment_id"]) == (doctor_id, None)
        left = await shared.slots(doctor_id)
        # A visit lasts half an hour: a start a quarter of an hour earlier would reach into it.
        assert [slot for slot in free if slot not in left] == free[3:8]
        inside = booking(doctor_id, free[5])
        assert await shared.refused("POST", "/v1/appointments", patient.headers, inside) == "in_time_off"
        again = await shared.send("POST", path, shared.staff, body, key="away")
        assert (again.headers["idempotency-replayed"], again.json()) == ("true", resource)

        back = await shared.confirmed("DELETE", f"{path}/{resource['time_off_id']}", shared.staff)
        assert (back["type"], back["time_off_id"]) == ("UnblockTime", resource["time_off_id"])
        assert await shared.slots(doctor_id) == free
        await booked(shared, patient.headers, doctor_id, free[5])

    async def test_has_its_id_from_the_first_answer_on(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        free = await shared.slots(doctor_id)
        path, body = f"/v1/doctors/{doctor_id}/time-off", {"starts_at": free[0], "ends_at": free[1]}

        accepted = await shared.send("POST", path, shared.staff, body, wait=0)

        assert (accepted.status_code, accepted.json()["state"]) == (202, "pending")
        decided = await get(shared.http, accepted.headers["location"], shared.staff, wait=10)
        assert (decided["state"], decided["time_off_id"]) == ("confirmed", accepted.json()["time_off_id"])
        [shown] = (await calendar(shared, doctor_id, free[0], free[0]))["time_off"]
        assert shown["id"] == decided["time_off_id"]

    async def test_over_bookings_is_refused_with_their_number(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        for at in (free[0], free[4], free[12]):
            await booked(shared, patient.headers, doctor_id, at)
        before = await calendar(shared, doctor_id, free[0], free[0])
        path = f"/v1/doctors/{doctor_id}/time-off"
        for starts_at, ends_at, count in (
            (free[0], free[14], 3),
            (free[1], free[5], 2),
            (free[5], free[13], 2),
            (free[13], free[30], 1),
        ):
            body = {"starts_at": starts_at, "ends_at": ends_at}
            refusal = (await shared.send("POST", path, shared.staff, body)).json()["refusal"]
            assert refusal == {
                "reason": "conflicts_with_bookings",
                "detail": f"{count} booked appointments conflict with this time off.",
            }
        assert await calendar(shared, doctor_id, free[0], free[0]) == before
        await take(shared, doctor_id, free[6], free[12])

    async def test_may_cancel_the_bookings_in_it(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(policy={"change_notice_minutes": 60 * 24 * 30})
        first_patient, second_patient = await shared.patient(), await shared.patient()
        free = await shared.slots(doctor_id)
        inside = [
            await booked(shared, first_patient.headers, doctor_id, free[4]),
            await booked(shared, second_patient.headers, doctor_id, free[8]),
        ]
        gone = await booked(shared, first_patient.headers, doctor_id, free[6])
        await cancel(shared, gone, shared.staff)
        beside = [
            await booked(shared, second_patient.headers, doctor_id, free[2]),
            await booked(shared, second_patient.headers, doctor_id, free[10]),
        ]
        kept = [await get(shared.http, path, shared.staff) for path in (*beside, gone)]

        away = await take(shared, doctor_id, free[4], free[10], cancel_conflicting=True)

        for path in inside:
            appointment = await get(shared.http, path, shared.staff)
            assert (appointment["status"], appointment["version"]) == ("cancelled", 2)
            assert (appointment["cancelled_by"], appointment["cancel_reason"]) == ("clinic", "time_off")
            types = [type_ for type_, _ in await events_of(shared, path)]
            assert types == ["AppointmentBooked", "AppointmentCancelled"]
        assert [await get(shared.http, path, shared.staff) for path in (*beside, gone)] == kept
        shown = await calendar(shared, doctor_id, free[0], free[0])
        assert [period["starts_at"] for period in shown["time_off"]] == [free[4]]
        await shared.confirmed("DELETE", away, shared.staff)
        assert (await get(shared.http, inside[0], first_patient.headers))["status"] == "cancelled", (
            "it stays cancelled"
        )
        assert set(free[4:9]) <= set(await shared.slots(doctor_id))

    async def test_may_overlap_other_time_off(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        free = await shared.slots(doctor_id)
        first = await take(shared, doctor_id, free[4], free[12])
        second = await take(shared, doctor_id, free[8], free[16])
        assert not set(free[4:16]) & set(await shared.slots(doctor_id))

        await shared.confirmed("DELETE", first, shared.staff)
        assert set(free[4:7]) <= set(await shared.slots(doctor_id))
        assert not set(free[8:16]) & set(await shared.slots(doctor_id))
        await shared.confirmed("DELETE", second, shared.staff)
        assert await shared.slots(doctor_id) == free

    async def test_that_does_not_exist_cannot_be_removed(self, shared: Clinic) -> None:
        doctor_id, other_id = await shared.doctor(), await shared.doctor()
        free = await shared.slots(doctor_id)
        away = await take(shared, doctor_id, free[4], free[8])
        id_ = away.rpartition("/")[2]
        for path in (
            f"/v1/doctors/{doctor_id}/time-off/{clock.new_id()}",
            f"/v1/doctors/{other_id}/time-off/{id_}",
        ):
            assert await shared.refused("DELETE", path, shared.staff) == "unknown_time_off"
        await shared.confirmed("DELETE", away, shared.staff)
        assert await shared.refused("DELETE", away, shared.staff) == "unknown_time_off"

    async def test_is_for_staff_with_valid_values(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path, body = f"/v1/doctors/{doctor_id}/time-off", {"starts_at": free[0], "ends_at": free[4]}
        problem(await shared.send("POST", path, patient.headers, body), 403, "forbidden")
        nothing = f"{path}/{clock.new_id()}"
        problem(await shared.send("DELETE", nothing, patient.headers), 403, "forbidden")
        problem(await shared.send("DELETE", f"{path}/x", shared.staff), 404, "not_found")
        nobodys = f"/v1/doctors/{clock.new_id()}/time-off"
        assert await shared.refused("POST", nobodys, shared.staff, body) == "unknown_doctor"
        past = [(clock.now() - timedelta(hours=hours)).isoformat() for hours in (2, 1)]
        over = {"starts_at": past[0], "ends_at": past[1]}
        assert await shared.refused("POST", path, shared.staff, over) == "in_the_past"
        for change, expected in (
            ({"ends_at": free[0]}, ["/ends_at"]),
            ({"ends_at": instant(free[0]).astimezone(instant(past[0]).tzinfo).isoformat()}, ["/ends_at"]),
            ({"starts_at": "soon"}, ["/starts_at"]),
            ({"ends_at": None}, ["/ends_at"]),
            ({"note": ""}, ["/note"]),
            ({"note": "a\0"}, ["/note"]),
            ({"note": "n" * 2_001}, ["/note"]),
            ({"cancel_conflicting": "true"}, ["/cancel_conflicting"]),
            ({"reason": "x"}, ["/reason"]),
        ):
            assert pointers(await shared.send("POST", path, shared.staff, body | change)) == expected
        # A period that has begun is not over.
        await take(shared, doctor_id, past[0], free[0])


async def test_the_note_is_encrypted_on_the_log_and_readable_in_the_calendar(shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    free = await shared.slots(doctor_id)
    away = await take(shared, doctor_id, free[4], free[8], note=NOTE)
    plain = await take(shared, doctor_id, free[12], free[16])
    long = await take(shared, doctor_id, free[20], free[24], note="😷" * 2_000)

    shown = await calendar(shared, doctor_id, free[0], free[0])
    assert shown["time_off"] == [
        {"id": path.rpartition("/")[2], "starts_at": starts_at, "ends_at": ends_at, "note": note}
        for path, starts_at, ends_at, note in (
            (away, free[4], free[8], NOTE),
            (plain, free[12], free[16], None),
            (long, free[20], free[24], "😷" * 2_000),
        )
    ]

    async def seen() -> list[Any]:
        return [
            *await records(shared.settings, COMMANDS_TOPIC),
            *await records(shared.settings, EVENTS_TOPIC),
        ]

    async def sealed() -> list[str]:
        id_ = away.rpartition("/")[2]
        return [data(record)["note"] for record in await seen() if data(record).get("time_off_id") == id_]

    async def published() -> bool:
        return len(await sealed()) == 2

    await until_async(published, "the command, and its event, on the log")
    keys, time_off_id = Keys.load(shared.settings), UUID(away.rpartition("/")[2])
    assert {keys.open_note(note, time_off_id) for note in await sealed()} == {NOTE}
    everything = b"".join(record.value for record in await seen())
    stored = await shared.postgres.fetch("SELECT t::text AS row FROM booking.time_off t")
    assert NOTE[:12].encode() not in everything
    assert not [row for row in stored if NOTE[:12] in row["row"]]
