"""A stream ends with the login that it was opened by, and nobody can open streams without end."""

import asyncio
import contextlib

import httpx
import pytest

from contracts.commands import Actor, ActorKind
from infra import clock
from infra.settings import Settings
from infra.tokens import Role
from ingress.event_stream import routes
from storage.login.sessions import Sessions
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic
from tests.http.asking import problem
from tests.http.event_stream.live_reader import PATH, watching
from tests.waiting import until_async


def somebody() -> Actor:
    return Actor(kind=ActorKind.STAFF, id=clock.new_id())


async def test_a_stream_ends_soon_after_its_login_was_ended_elsewhere(
    shared: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "HEARTBEAT_INTERVAL_S", 0.5)
    actor, sessions = somebody(), Sessions(shared.postgres)
    began = await sessions.begin(actor.id, Role.STAFF, ["pwd"])
    who = shared.headers(actor, session_id=began.session.id)
    async with watching(shared.http, who) as reader, watching(shared.http, shared.staff) as another:
        await sessions.end(began.session.id, "lost")

        async def ended() -> bool:
            return reader.ended

        await until_async(ended, "the stream has ended, whole", 30)
        assert not another.ended
    problem(await shared.http.get(PATH, headers=who), 401, "unauthenticated")


async def test_streams_have_places(settings: Settings, template: str) -> None:
    few = settings.model_copy(update={"streams_per_person_max": 2, "streams_max": 3})
    async with running_clinic(few, template, worker=False) as clinic, contextlib.AsyncExitStack() as exits:
        first, second = clinic.headers(somebody()), clinic.headers(somebody())
        for who in (first, first, second):
            await exits.enter_async_context(watching(clinic.http, who))

        too_many = await clinic.http.get(PATH, headers=first)
        problem(too_many, 429, "rate_limited")
        assert too_many.headers["retry-after"] == "30"
        problem(await clinic.http.get(PATH, headers=second), 503, "busy")

        await exits.aclose()

        async def free() -> bool:
            async with clinic.http.stream("GET", PATH, headers=first) as response:
                return response.status_code == 200

        await until_async(free, "the places are free again")


async def test_requests_at_once_get_no_more_places(settings: Settings, template: str) -> None:
    few = settings.model_copy(update={"streams_per_person_max": 2})
    async with running_clinic(few, template, worker=False) as clinic:
        who = clinic.headers(somebody())

        async def is_open(http: httpx.AsyncClient) -> bool:
            async with http.stream("GET", PATH, headers=who) as response:
                if response.status_code != 200:
                    return False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(3):
                        async for _ in response.aiter_lines():
                            pass
                        return False
                return True

        opened = await asyncio.gather(*(is_open(clinic.http) for _ in range(12)))
        assert opened.count(True) == 2
