"""A patient who was not seen for seven years is forgotten: their visits stay, and are nobody's."""

from datetime import datetime, timedelta

import pytest

from contracts.security import PatientForgotten
from infra import clock
from infra.keys import Keys
from ops.replay.verify import verify_all
from storage.patients import Patients
from storage.retention import drop_notes_of_forgotten, forget_unseen, present, unseen, years_before
from tests.clinic import Clinic
from tests.http.asking import booked, get
from tests.http.login.logins import log_in
from tests.http.people import register

YEARS = 7


def years_later(years: float) -> datetime:
    return clock.now() + timedelta(days=366 * years)


async def forget(clinic: Clinic, at: datetime) -> list[PatientForgotten]:
    """A run at that time: the events that it recorded."""
    recorded: list[PatientForgotten] = []

    async def record(event: PatientForgotten) -> None:
        recorded.append(event)

    patients = Patients(clinic.postgres, Keys.load(clinic.settings))
    count = await forget_unseen(clinic.postgres, patients, record, YEARS, at)
    assert count == len(recorded)
    return recorded


async def test_a_visit_is_nobodys_seven_years_after_the_last_one(clinic: Clinic) -> None:
    doctor_id = await clinic.doctor(policy={"horizon_days": 3_660, "max_active_per_patient": 9})
    patient, regular = await clinic.patient(), await clinic.patient()
    slots = await clinic.slots(doctor_id)
    path = await booked(clinic, patient.headers, doctor_id, slots[0], reason="My left knee")
    await booked(clinic, regular.headers, doctor_id, slots[4], reason="My right knee")
    in_two_years = (clock.now() + timedelta(days=730)).date()
    page = await get(
        clinic.http, f"/v1/doctors/{doctor_id}/availability", from_=in_two_years, to=in_two_years
    )
    await booked(clinic, regular.headers, doctor_id, page["days"][0]["slots"][0]["starts_at"])
    before = await get(clinic.http, path, clinic.staff)

    assert await forget(clinic, years_later(6)) == []
    [event] = await forget(clinic, years_later(8))

    assert (event.patient_id, event.actor and event.actor.kind) == (patient.id, "system")
    row = await clinic.postgres.fetchrow("SELECT * FROM people.patients WHERE id = $1", patient.id)
    assert row is not None
    assert {row["address_bucket"], row["data_key"], row["profile"]} == {None}
    after = await get(clinic.http, path, clinic.staff)
    assert after == before | {"reason": None}, "the record of the visit stays"
    assert (await get(clinic.http, "/v1/me", regular.headers))["id"] == str(regular.id)
    assert await forget(clinic, years_later(8)) == []
    reports, _ = await verify_all(clinic.settings)
    assert not [report for report in reports if report.findings]


async def test_whoever_did_anything_was_seen(clinic: Clinic) -> None:
    known = await register(clinic, "ada@example.org")
    # Some days more than seven years from now; and a login after those days.
    at, login_at = years_later(YEARS), clock.now() + timedelta(days=30)
    assert [str(id_) for id_ in await unseen(clinic.postgres, YEARS, at)] == [known["id"]]
    await clinic.postgres.execute("SELECT audit.make_month($1)", login_at.date())
    await clinic.postgres.execute(
        """
        INSERT INTO audit.entries (
            chain, partition, number, occurred_at, recorded_at, action, actor_kind, actor_id, content, hash
        )
        VALUES ('security', 0, 1, $1, $1, 'LoginSucceeded', 'patient', $2, '{}', $3)
        """,
        login_at,
        known["id"],
        bytes(32),
    )

    assert await unseen(clinic.postgres, YEARS, at) == []


async def test_so_was_whoever_was_noted_something_about(clinic: Clinic) -> None:
    known = await register(clinic, "ada@example.org")
    at = years_later(YEARS)
    assert [str(id_) for id_ in await unseen(clinic.postgres, YEARS, at)] == [known["id"]]
    await clinic.send("POST", f"/v1/patients/{known['id']}/notes", clinic.staff, {"text": "Comes in spring"})
    await clinic.postgres.execute("UPDATE people.notes SET written_at = $1", clock.now() + timedelta(days=30))

    assert await unseen(clinic.postgres, YEARS, at) == []


async def test_whoever_is_logged_in_was_seen_though_the_trail_is_behind(clinic: Clinic) -> None:
    known = await register(clinic, "ada@example.org")
    tokens = await log_in(clinic, "ada@example.org")
    at = years_later(YEARS)
    assert [str(id_) for id_ in await unseen(clinic.postgres, YEARS, at)] == [known["id"]]
    await clinic.postgres.execute("UPDATE login.sessions SET used_at = $1", clock.now() + timedelta(days=30))

    assert await unseen(clinic.postgres, YEARS, at) == []
    assert (await get(clinic.http, "/v1/me", tokens.headers))["id"] == known["id"]


async def test_a_clock_that_is_years_ahead_makes_nobody_unseen(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await present(clinic.postgres) is None
    assert await unseen(clinic.postgres, YEARS, None) == []
    await clinic.doctor()
    now, later = clock.now(), years_later(20)

    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: later)
        at = await present(clinic.postgres)

    assert at is not None
    assert at < now + timedelta(minutes=1)


def test_seven_years_before_a_29_february() -> None:
    leap = datetime.fromisoformat("2028-02-29T12:00:00+00:00")
    assert years_before(leap, YEARS).isoformat() == "2021-02-28T12:00:00+00:00"


async def test_notes_that_an_earlier_release_left_are_deleted(clinic: Clinic) -> None:
    gone, living = await clinic.patient(), await clinic.patient()
    for patient in (gone, living):
        path = f"/v1/patients/{patient.id}/notes"
        assert (await clinic.send("POST", path, clinic.staff, {"text": "A note"})).status_code == 201
    left = await clinic.postgres.fetch("SELECT * FROM people.notes WHERE patient_id = $1", gone.id)
    await Patients(clinic.postgres, Keys.load(clinic.settings)).forget(gone.id)
    names = ("id", "patient_id", "written_by", "written_at", "content")
    await clinic.postgres.execute(
        f"INSERT INTO people.notes ({', '.join(names)}) VALUES ($1, $2, $3, $4, $5)",
        *(left[0][name] for name in names),
    )

    await drop_notes_of_forgotten(clinic.postgres)

    rows = await clinic.postgres.fetch("SELECT patient_id FROM people.notes")
    assert [row["patient_id"] for row in rows] == [living.id]
