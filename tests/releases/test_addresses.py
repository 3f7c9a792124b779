"""An address is one patient's while the last release and this one register patients, and after it."""

import asyncio
from pathlib import Path

import httpx

from infra import clock
from ops.keys.storage import rotate_storage
from tests.clinic import Clinic, clinic
from tests.releases.conftest import KNOWN, Upgraded
from tests.releases.services import NEW, OLD, Sources, running

AT_ONCE = 20


def new_address() -> str:
    return f"{clock.new_id().hex}@example.org"


async def register(own: Clinic, ingress: httpx.AsyncClient, email: str) -> tuple[int, str]:
    """The status and the id of the patient with this address."""
    answer = await ingress.post("/v1/patients", headers=own.staff, json={"email": email})
    return answer.status_code, answer.json().get("id", "")


async def test_an_address_is_one_patients(upgraded: Upgraded, sources: Sources, tmp_path: Path) -> None:
    async with (
        clinic(*upgraded, worker=False, serve=False) as own,
        running(own.settings, sources, tmp_path) as services,
    ):
        await services.start("ingress", OLD)
        await services.start("ingress", NEW)
        old, new = services.http
        known: dict[str, str] = {}
        for first, second in ((old, new), (new, old)):
            status, known[KNOWN] = await register(own, first, KNOWN)
            assert status == 200
            email = new_address()
            status, known[email] = await register(own, first, email)
            assert status == 201
            assert await register(own, second, email) == (200, known[email])
            changed = {"email": new_address()}
            path = f"/v1/patients/{known[email]}"
            assert (await second.patch(path, headers=own.staff, json=changed)).status_code == 200
            known[changed["email"]] = known.pop(email)
            assert await register(own, first, changed["email"]) == (200, known[changed["email"]])
            (_, other), _ = await asyncio.gather(*(register(own, http, email) for http in (first, second)))
            known[email] = other
        for _ in range(AT_ONCE):
            email = new_address()
            at_once = await asyncio.gather(*(register(own, http, email) for http in (old, new)))
            assert {status for status, _ in at_once} == {200, 201}
            [known[email]] = {id_ for _, id_ in at_once}

        await rotate_storage(own.settings, begin=True)

        for email in (*known, new_address()):
            assert (await register(own, old, email))[0] == 503
        for email, id_ in known.items():
            assert await register(own, new, email) == (200, id_)
        rows = await own.postgres.fetch("SELECT id, address_index, address_bucket FROM people.patients")
        assert {str(row["id"]) for row in rows} == set(known.values())
        assert {row["address_index"] for row in rows} == {None}
        assert None not in {row["address_bucket"] for row in rows}
        assert (await register(own, new, new_address()))[0] == 201
