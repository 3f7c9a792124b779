"""After its day, nothing brings a forgotten patient's data back: no file, no backup, no guess."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest

from contracts.commands import Actor, ActorKind
from infra import clock
from infra.keys import Keys, epoch_of
from infra.settings import Settings
from ingress.commands.fingerprints import fingerprints
from ops.embedded import EmbeddedStack
from ops.keys.storage import GRACE, UNREADABLE_AFTER_DAYS_MAX, overdue, rotate_storage
from storage import mail_address
from storage.patient_finder import PatientFinder
from storage.patients import REASON
from storage.profiles import open_profile
from tests.clinic import Clinic, Patient
from tests.clinic import clinic as running_clinic
from tests.http.asking import book, booking, get
from tests.http.people import forget, register
from tests.privacy.attacker import Loot, data_keys, heap_files, wal_file, wal_files

NAME, TEXT = "Zacharias Quackenbush", "An itch behind the seventh knee"
DAY = timedelta(days=1)


class Visitor(NamedTuple):
    """A patient with a booked visit, and the request that booked it."""

    patient: Patient
    email: str
    body: dict[str, Any]
    appointment_id: UUID


@pytest.fixture
async def own(settings: Settings, template: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    """A clinic with keys of its own: as an earlier release left it, without storage keys."""
    master = tmp_path / "master.key"
    shutil.copyfile(settings.master_key_file, master)
    keys = {"master_key_file": master, "storage_key_dir": tmp_path / "storage"}
    async with running_clinic(settings.model_copy(update=keys), template) as clinic:
        await clinic.postgres.execute("DELETE FROM people.key_epochs WHERE epoch > 0")
        yield clinic


@pytest.fixture
def loot(tmp_path: Path) -> Loot:
    (tmp_path / "loot").mkdir()
    return Loot(tmp_path / "loot")


async def visitor(own: Clinic, doctor_id: str, slot: int) -> Visitor:
    email = f"zacharias.{clock.new_id().hex}@example.org"
    known = await register(own, email, name=NAME)
    actor = Actor(kind=ActorKind.PATIENT, id=UUID(known["id"]))
    patient = Patient(actor.id, own.headers(actor))
    body = booking(doctor_id, (await own.slots(doctor_id))[slot], reason=TEXT)
    resource = (await book(own, patient, body, key="visit")).json()
    assert resource["state"] == "confirmed"
    return Visitor(patient, email, body, UUID(resource["appointment_id"]))


async def rotate(own: Clinic, after: timedelta) -> list[int]:
    """Rotate every day for so long: the epochs that were destroyed."""
    destroyed: list[int] = []
    for day in range(after // DAY + 1):
        done = await rotate_storage(own.settings, at=clock.now() + day * DAY)
        destroyed += done.destroyed
    return destroyed


@pytest.mark.parametrize("wrapped_by", ["storage key", "master key"])
async def test_nothing_is_recovered_from_files_and_backups(
    own: Clinic, stack: EmbeddedStack, loot: Loot, wrapped_by: str
) -> None:
    pgdata, first_wal = stack.folder.path / "postgres", await wal_file(own.postgres)
    if wrapped_by == "storage key":
        await rotate_storage(own.settings)
    else:
        await own.postgres.execute("UPDATE people.key_epochs SET whole_indexes = true")
    doctor_id = await own.doctor()
    gone, living = await visitor(own, doctor_id, 0), await visitor(own, doctor_id, 4)
    row = await own.postgres.fetchrow("SELECT * FROM people.patients WHERE id = $1", gone.patient.id)
    assert row is not None
    reason = await own.postgres.fetchval(
        "SELECT reason FROM booking.appointments WHERE id = $1", gone.appointment_id
    )
    loot.take("backup", await heap_files(own.postgres, pgdata))

    await forget(own, gone.patient)
    loot.take("heap", await heap_files(own.postgres, pgdata))
    loot.take("wal", wal_files(pgdata, first_wal, await wal_file(own.postgres)))

    # Until then, the keys open what is left: this is what has to be destroyed.
    found = data_keys(loot, own.settings, gone.patient.id)
    assert found.keys() >= {"backup", "wal"}
    for key in found.values():
        assert open_profile(key, gone.patient.id, row["profile"]).name == NAME
        assert key.open_text(reason, REASON, gone.appointment_id) == TEXT
    whole = {"backup", "heap", "wal"} if wrapped_by == "master key" else set()
    assert _indexed(loot, own.settings, gone.email) == whole

    assert await rotate(own, timedelta(days=UNREADABLE_AFTER_DAYS_MAX))
    loot.take("later heap", await heap_files(own.postgres, pgdata))
    loot.take("later wal", wal_files(pgdata, first_wal, await wal_file(own.postgres)))

    assert data_keys(loot, own.settings, gone.patient.id) == {}
    assert not _indexed(loot, own.settings, gone.email), "a guess at the address is confirmed"
    for secret in (NAME, TEXT, gone.email):
        assert loot.holding(secret.encode()) == set()
    # The others are still patients.
    known = await get(own.http, "/v1/me", living.patient.headers)
    assert (known["name"], known["email"]) == (NAME, living.email)
    assert (await register(own, living.email, 200))["id"] == str(living.patient.id)
    for _ in range(2):  # before and after their search terms are made by the new key
        searched = await own.http.post("/v1/patients/search", headers=own.staff, json={"name": NAME})
        assert [patient["id"] for patient in searched.json()["items"]] == [str(living.patient.id)]
        await PatientFinder(own.postgres, Keys.load(own.settings)).index(1_000)
    repeated = await book(own, living.patient, living.body, key="visit")
    assert repeated.headers["idempotency-replayed"] == "true"


def _indexed(loot: Loot, settings: Settings, email: str) -> set[str]:
    indexes = Keys.load(settings).indexes.address_indexes({mail_address.comparable(email)})
    return set().union(*(loot.holding(index) for index in indexes))


async def test_no_fingerprint_confirms_a_guess_at_the_reason(
    own: Clinic, stack: EmbeddedStack, loot: Loot
) -> None:
    pgdata, first_wal = stack.folder.path / "postgres", await wal_file(own.postgres)
    await rotate_storage(own.settings)
    visit = await visitor(own, await own.doctor(), 0)
    keys, said = Keys.load(own.settings), visit.body | {"patient_id": visit.patient.id}
    said["starts_at"] = clock.now().fromisoformat(said["starts_at"]).astimezone(clock.now().tzinfo)
    said["starts_at"] = said["starts_at"].isoformat().replace("+00:00", "Z")
    wrapped = await own.postgres.fetchval(
        "SELECT data_key FROM people.patients WHERE id = $1", visit.patient.id
    )
    data_key = keys.unwrap(visit.patient.id, wrapped)
    loot.take("heap", await heap_files(own.postgres, pgdata))
    loot.take("wal", wal_files(pgdata, first_wal, await wal_file(own.postgres)))

    with_key, *guesses = fingerprints(keys, "BookAppointment", said, data_key)

    assert loot.holding(with_key.encode()) == {"heap", "wal"}, "the request is written as it was made"
    assert [loot.holding(guess.encode()) for guess in guesses] == [set(), set()]


async def test_a_booking_of_an_earlier_release_is_repeated_after_its_data_key_was_wrapped_again(
    own: Clinic,
) -> None:
    visit = await visitor(own, await own.doctor(), 0)
    first = await book(own, visit.patient, visit.body, key="visit")

    assert (await rotate_storage(own.settings)).rewrapped == 1
    repeated = await book(own, visit.patient, visit.body, key="visit")
    other = await book(own, visit.patient, visit.body | {"reason": "another"}, key="visit")

    assert repeated.headers["idempotency-replayed"] == "true"
    assert {**repeated.json(), "receipt": "", "links": ""} == {**first.json(), "receipt": "", "links": ""}
    status = await get(own.http, repeated.json()["links"]["self"], visit.patient.headers)
    assert status["state"] == "confirmed"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_values_of_earlier_releases_are_sealed_again(own: Clinic) -> None:
    visit = await visitor(own, await own.doctor(), 0)
    query = "SELECT data_key, profile FROM people.patients WHERE id = $1"
    before = await own.postgres.fetchrow(query, visit.patient.id)

    started = (await rotate_storage(own.settings)).started

    after = await own.postgres.fetchrow(query, visit.patient.id)
    assert started is not None
    assert before is not None
    assert after is not None
    assert after["data_key"][:5] == b"\x01" + started.to_bytes(4, "big")
    data_key = Keys.load(own.settings).unwrap(visit.patient.id, after["data_key"])
    assert (data_key.is_current(before["profile"]), data_key.is_current(after["profile"])) == (False, True)


class TestRotation:
    async def test_begins_an_epoch_when_it_is_due_and_destroys_the_one_before_a_day_later(
        self, own: Clinic
    ) -> None:
        first = (await rotate_storage(own.settings)).started
        assert first is not None
        due = clock.now() + timedelta(days=own.settings.storage_key_days)

        assert (await rotate_storage(own.settings, at=due - DAY)).started is None
        second = await rotate_storage(own.settings, at=due)
        assert (second.started, second.destroyed) == (first + 1, [])
        assert (await rotate_storage(own.settings, at=due + GRACE / 2)).destroyed == []
        assert (await rotate_storage(own.settings, at=due + GRACE)).destroyed == [first]
        assert [path.name for path in own.settings.storage_key_dir.glob("*.key")] == [f"{first + 1:06}.key"]

    async def test_that_was_killed_is_completed_by_the_next(self, own: Clinic) -> None:
        await rotate_storage(own.settings)
        visit = await visitor(own, await own.doctor(), 0)
        due = clock.now() + timedelta(days=own.settings.storage_key_days)
        await rotate_storage(own.settings, at=due)
        # As if it had died between the row and the key.
        await own.postgres.execute("DELETE FROM people.key_epochs WHERE epoch < $1", _newest(own))

        assert (await rotate_storage(own.settings, at=due + GRACE)).destroyed == [0, _newest(own) - 1]
        assert (await get(own.http, "/v1/me", visit.patient.headers))["name"] == NAME

    async def test_lets_nobody_use_a_key_that_goes(self, own: Clinic) -> None:
        await rotate_storage(own.settings)
        late = Keys.load(own.settings)  # of a service that does not know of the next epoch
        patient_id = clock.new_id()
        _, wrapped = late.new_data_key(patient_id)
        await rotate_storage(own.settings, begin=True)
        await rotate_storage(own.settings, at=clock.now() + GRACE)

        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await own.postgres.execute(
                "INSERT INTO people.patients (id, data_key, key_epoch, profile, created_at)"
                " VALUES ($1, $2, $3, $2, now())",
                patient_id,
                wrapped,
                epoch_of(wrapped),
            )

    async def test_is_demanded_when_a_key_becomes_too_old(self, own: Clinic) -> None:
        assert "there is none" in str(overdue(own.settings, clock.now()))
        await rotate_storage(own.settings)
        latest = clock.now() + timedelta(days=UNREADABLE_AFTER_DAYS_MAX - 1)
        assert overdue(own.settings, latest) is None
        assert "run `clinic keys rotate-storage`" in str(overdue(own.settings, latest + DAY))


def _newest(own: Clinic) -> int:
    return max(int(path.stem) for path in own.settings.storage_key_dir.glob("*.key"))
