"""Addresses are found by 12 bits of a hash, which patients share; and each address is one patient's."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from infra.crypto.blind_indexes import CUT_BITS
from infra.errors import TransientError
from infra.keys import Keys
from infra.settings import Settings
from ops.connections import database
from ops.keys.storage import rotate_storage
from storage.mail_address import comparable
from storage.patient_addresses import AddressTakenError
from storage.patients import Patients
from storage.profiles import Profile
from tests.clinic import Clinic
from tests.http.asking import get
from tests.http.login.logins import log_in, new_address
from tests.http.patients.mail_addresses.directory import EPOCH, begin_epoch, found
from tests.http.people import register

AT_ONCE = 20
PATIENTS = 200


@contextlib.asynccontextmanager
async def two_ingresses(own: Clinic, *settings: Settings) -> AsyncIterator[list[Patients]]:
    """The directory as two ingresses have it: each its own connections, and its own idea of the keys."""
    async with contextlib.AsyncExitStack() as exits:
        dsn, directories = own.settings.ingress_dsn, []
        for each in settings or (own.settings, own.settings):
            pool = await exits.enter_async_context(database(dsn, "test", connections_max=AT_ONCE // 2))
            directories.append(Patients(pool, Keys.load(each)))
        yield directories


def never_gets_another_key(own: Clinic, folder: Path) -> Settings:
    """The settings of an ingress to whose machine nobody copies the next storage keys."""
    shutil.copytree(own.settings.storage_key_dir, folder / "earlier")
    return own.settings.model_copy(update={"storage_key_dir": folder / "earlier"})


async def in_the_directory(own: Clinic, email: str) -> list[UUID]:
    """Everybody with this address, by the profiles."""
    patients = Patients(own.postgres, Keys.load(own.settings))
    ids = [row["id"] for row in await own.postgres.fetch("SELECT id FROM people.patients")]
    everybody = await patients.find_all(ids)
    return [known.id for known in everybody if comparable(known.profile.email) == comparable(email)]


def two_in_a_bucket(keys: Keys) -> tuple[str, str]:
    known: dict[int, str] = {}
    while True:
        email = new_address()
        bucket = keys.indexes.address_bucket(email, EPOCH)
        if bucket in known:
            return known[bucket], email
        known[bucket] = email


async def test_a_bucket_is_all_that_is_stored(own: Clinic) -> None:
    patients = Patients(own.postgres, Keys.load(own.settings))
    emails = [new_address() for _ in range(PATIENTS)]
    ids = [await patients.add(Profile(email)) for email in emails]

    rows = await own.postgres.fetch("SELECT address_index, address_bucket FROM people.patients")
    buckets = {row["address_bucket"] for row in rows}
    assert {row["address_index"] for row in rows} == {None}
    assert 0 <= min(buckets) < max(buckets) < 2**CUT_BITS
    assert len(buckets) > PATIENTS * 0.8
    found_ids = [known and known.id for known in [await patients.find_by_address(email) for email in emails]]
    assert found_ids == ids


async def test_two_who_share_a_bucket_are_kept_apart(own: Clinic) -> None:
    keys = Keys.load(own.settings)
    first, second = two_in_a_bucket(keys)

    first_id = (await register(own, first))["id"]
    assert await found(own, second) == []
    logged_in = {email: await log_in(own, email) for email in (second, first)}

    assert await found(own, first) == [first_id]
    me = {email: await get(own.http, "/v1/me", tokens.headers) for email, tokens in logged_in.items()}
    assert {email: view["email"] for email, view in me.items()} == {first: first, second: second}
    assert me[first]["id"] == first_id != me[second]["id"]
    rows = await own.postgres.fetch("SELECT address_bucket FROM people.patients")
    assert len(rows) == 2
    assert len(set(rows)) == 1


class TestAnAddressIsOnePatients:
    async def test_who_register_at_once(self, own: Clinic) -> None:
        email = new_address()
        async with two_ingresses(own) as directories:
            added = await asyncio.gather(
                *(directories[number % 2].add(Profile(email)) for number in range(AT_ONCE))
            )

        [registered] = filter(None, added)
        assert await in_the_directory(own, email) == [registered]

    @pytest.mark.parametrize("begins", ["before", "meanwhile"])
    async def test_who_register_at_once_in_two_epochs(self, own: Clinic, tmp_path: Path, begins: str) -> None:
        """One ingress has not got the newest key: it registers nobody whom it could not find."""
        email, late = new_address(), never_gets_another_key(own, tmp_path)
        rotating = asyncio.create_task(rotate_storage(own.settings, begin=True))
        if begins == "before":
            await rotating
        async with two_ingresses(own, late, own.settings) as directories:
            added = await asyncio.gather(
                *(directories[number % 2].add(Profile(email)) for number in range(AT_ONCE)),
                return_exceptions=True,
            )
            await rotating
            await directories[1].register(email)

        assert {type(answer) for answer in added} <= {UUID, type(None), TransientError}
        if begins == "before":
            assert sum(isinstance(answer, TransientError) for answer in added) == AT_ONCE // 2
        assert len(await in_the_directory(own, email)) == 1

    async def test_who_register_it_and_change_to_it_at_once(self, own: Clinic) -> None:
        async with two_ingresses(own) as (first, second):
            for _ in range(AT_ONCE):
                email, mover = new_address(), await first.add(Profile(new_address()))
                assert mover is not None
                added, moved = await asyncio.gather(
                    first.add(Profile(email)),
                    second.change(mover, partial(replace, email=email)),
                    return_exceptions=True,
                )
                assert (added is None) is not isinstance(moved, AddressTakenError), (added, moved)
                assert len(await in_the_directory(own, email)) == 1

    async def test_who_change_to_it_where_the_newest_key_is_not_here(
        self, own: Clinic, tmp_path: Path
    ) -> None:
        late = never_gets_another_key(own, tmp_path)
        async with two_ingresses(own, late, own.settings) as (behind, current):
            mover = await behind.add(Profile(new_address()))
            await begin_epoch(own)
            assert mover is not None
            email = new_address()
            assert await current.add(Profile(email))

            with pytest.raises(TransientError):
                await behind.change(mover, partial(replace, email=email))
            with pytest.raises(AddressTakenError):
                await current.change(mover, partial(replace, email=email))
            assert await behind.change(mover, partial(replace, name="Ada"))


async def test_all_are_found_after_the_next_epoch_has_begun(own: Clinic) -> None:
    keys, emails = Keys.load(own.settings), [new_address() for _ in range(20)]
    patients = Patients(own.postgres, keys)
    ids = [await patients.add(Profile(email)) for email in emails]

    epoch = (await rotate_storage(own.settings, begin=True)).started

    assert epoch is not None
    rows: list[asyncpg.Record] = await own.postgres.fetch("SELECT id, address_bucket FROM people.patients")
    assert {row["id"]: row["address_bucket"] for row in rows} == {
        id_: keys.indexes.address_bucket(email, epoch) for id_, email in zip(ids, emails, strict=True)
    }
    assert [await found(own, email) for email in emails] == [[str(id_)] for id_ in ids]
