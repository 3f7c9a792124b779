"""Patients whom the last release registered: found by whole indexes, until the first epoch of this one."""

from uuid import UUID

import asyncpg
import pytest

from infra import clock
from infra.keys import Keys
from ops.keys.storage import rotate_storage
from storage.mail_address import comparable, formerly_comparable
from storage.profiles import Profile, seal_profile
from tests.clinic import Clinic
from tests.http.patients.mail_addresses.directory import EPOCH, begin_epoch, found, new_name, stored
from tests.http.people import register


@pytest.fixture
async def upgraded(own: Clinic) -> Clinic:
    """A clinic that had patients when its database was migrated."""
    await own.postgres.execute("UPDATE people.key_epochs SET whole_indexes = true")
    return own


async def register_as_earlier(clinic: Clinic, email: str) -> str:
    """A patient as earlier releases leave one: found by what they made of the address, and nothing else."""
    patient_id: str = (await register(clinic, email))["id"]
    index = Keys.load(clinic.settings).indexes.address_index(formerly_comparable(email), EPOCH)
    await clinic.postgres.execute(
        "UPDATE people.patients SET address_index = $2, address_bucket = NULL WHERE id = $1",
        patient_id,
        index,
    )
    return patient_id


class TestAPatientOfAnEarlierRelease:
    async def test_is_found_and_registered_once(self, upgraded: Clinic) -> None:
        for domain in ("straße.example", "bücher.example", "example.org"):
            email = f"{new_name()}@{domain}"
            patient_id = await register_as_earlier(upgraded, email)

            assert await found(upgraded, email) == [patient_id]
            assert (await register(upgraded, email, 200))["id"] == patient_id

    async def test_does_not_stand_in_anybodys_way(self, upgraded: Clinic) -> None:
        """Earlier, strasse and straße were one: whoever came first had the address of both."""
        name = new_name()
        sharp = await register_as_earlier(upgraded, f"{name}@straße.example")

        assert await found(upgraded, f"{name}@strasse.example") == []
        plain = await register(upgraded, f"{name}@strasse.example")

        assert plain["id"] != sharp
        assert await found(upgraded, f"{name}@straße.example") == [sharp]

    async def test_who_was_two_is_found_by_spelling(self, upgraded: Clinic) -> None:
        name = new_name()
        unicode, ascii_ = f"{name}@bücher.example", f"{name}@xn--bcher-kva.example"
        first = await register_as_earlier(upgraded, unicode)
        second = (await register(upgraded, ascii_))["id"]

        for _ in range(2):  # by whole indexes, and by the bucket that they share then
            assert await found(upgraded, unicode) == [first]
            assert await found(upgraded, ascii_) == [second]
            await rotate_storage(upgraded.settings, begin=True)
        buckets = [(await stored(upgraded, patient_id))["address_bucket"] for patient_id in (first, second)]
        assert buckets[0] == buckets[1] is not None


class TestTheNextEpoch:
    async def test_takes_whole_indexes_away_and_nobody_is_lost(self, upgraded: Clinic) -> None:
        emails = [f"{new_name()}@example.org" for _ in range(3)]
        ids = [
            await register_as_earlier(upgraded, emails[0]),
            *[(await register(upgraded, email))["id"] for email in emails[1:]],
        ]
        assert None not in [(await stored(upgraded, id_))["address_index"] for id_ in ids]

        epoch = (await rotate_storage(upgraded.settings, begin=True)).started

        assert epoch is not None
        indexes = Keys.load(upgraded.settings).indexes
        for email, id_ in zip(emails, ids, strict=True):
            row = await stored(upgraded, id_)
            assert row["address_index"] is None
            assert row["address_bucket"] == indexes.address_bucket(comparable(email), epoch)
            assert await found(upgraded, email) == [id_]
            assert (await register(upgraded, email, 200))["id"] == id_
        later = await register(upgraded, f"{new_name()}@example.org")
        assert (await stored(upgraded, later["id"]))["address_index"] is None

    async def test_refuses_an_ingress_of_the_last_release(self, upgraded: Clinic) -> None:
        known = (await register(upgraded, f"{new_name()}@example.org"))["id"]
        index = (await stored(upgraded, known))["address_index"]
        await rotate_storage(upgraded.settings, begin=True)
        # Its key is what it has, be it the old one.
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="stop earlier releases"):
            await upgraded.postgres.execute(
                "INSERT INTO people.patients (id, address_index, data_key, key_epoch, profile, created_at)"
                " VALUES ($1, $2, $2, $3, $2, now())",
                clock.new_id(),
                b"another",
                EPOCH,
            )
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="stop earlier releases"):
            await upgraded.postgres.execute(
                "UPDATE people.patients SET address_index = $2 WHERE id = $1", known, index
            )


async def test_an_address_that_earlier_releases_registered_in_two_epochs_stays_the_first_ones(
    upgraded: Clinic,
) -> None:
    first = await register_as_earlier(upgraded, email := f"{new_name()}@example.org")
    later = await begin_epoch(upgraded, whole_indexes=True)
    second = UUID((await register(upgraded, f"{new_name()}@example.org"))["id"])
    keys, row = Keys.load(upgraded.settings), await stored(upgraded, second)
    await upgraded.postgres.execute(
        "UPDATE people.patients SET profile = $2, address_index = $3, address_bucket = NULL WHERE id = $1",
        second,
        seal_profile(keys.unwrap(second, row["data_key"]), second, Profile(email)),
        keys.indexes.address_index(comparable(email), later),
    )

    assert (await rotate_storage(upgraded.settings)).rewrapped == 1

    has_index = [(await stored(upgraded, id_))["address_index"] is not None for id_ in (first, second)]
    assert has_index == [False, True]
    assert await found(upgraded, email) == [first]
