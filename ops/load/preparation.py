"""The doctors and patients of a load test: made over HTTP before it, and closed after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx

from infra import clock
from infra.crypto.tls import client_context
from infra.errors import ClinicError, TransientError
from infra.jobs import all_of
from infra.settings import Settings
from ops.commands import ANSWER_TIMEOUT_S, Sender
from ops.load.mix import Action
from ops.load.practice import ORDINARY, close_doctors, register_doctors
from ops.load.scene import Request, Requests, Scene
from ops.load.tokens import Bearers, StaffAuth, TokenSource
from ops.seed.demo import next_monday

IN_FLIGHT_MAX = 16
FIRST_APPOINTMENTS = 50
SEED = 0


@asynccontextmanager
async def prepared(
    settings: Settings, source: TokenSource, doctors: int, patients: int
) -> AsyncIterator[Scene]:
    """Doctors with free slots, patients, and some appointments; at the end all are cancelled.

    Patients are the same in every run. The doctors are new, and made inactive at the end.

    Raises:
        ClinicError: the clinic does not answer, or does not take them.
    """
    name = f"Load test {clock.new_id().hex[:8]}"
    bearers = Bearers(source)
    limits = httpx.Limits(max_connections=IN_FLIGHT_MAX)
    auth = StaffAuth(bearers)
    trusted = client_context(settings.ca_file)
    async with httpx.AsyncClient(
        base_url=settings.url, auth=auth, trust_env=False, limits=limits, verify=trusted
    ) as http:
        sender = Sender(http, IN_FLIGHT_MAX)
        ids = await register_doctors(sender, name, ORDINARY, doctors, settings.time_zone)
        try:
            scene = Scene(
                name=name,
                doctors=[str(id_) for id_ in ids],
                patients=[str(id_) for id_ in await _register_patients(http, patients)],
                starts=[start.isoformat() for start in ORDINARY.starts(ZoneInfo(settings.time_zone))],
                monday=str(next_monday(settings)),
            )
            await _book_first(sender, scene)
            yield scene
        finally:
            await close_doctors(sender, name, ORDINARY, ids)


async def _register_patients(http: httpx.AsyncClient, count: int) -> list[UUID]:
    in_flight = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def register(number: int) -> UUID:
        body = {"email": f"load-{number:05}@example.com"}
        async with in_flight:
            try:
                response = await http.post("/v1/patients", json=body, timeout=ANSWER_TIMEOUT_S)
            except httpx.TransportError as error:
                raise TransientError(f"{http.base_url} does not answer: {error!r}") from None
        if not response.is_success:
            raise ClinicError(f"A patient could not be registered: {response.status_code} {response.text}")
        return UUID(response.json()["id"])

    return await all_of(register(number) for number in range(count))


async def _book_first(sender: Sender, scene: Scene) -> None:
    """Appointments that can be moved or cancelled from the first second on."""
    requests = Requests(scene, clock.repeatable(SEED), as_staff=True)
    bookings = [requests.request(Action.BOOK) for _ in range(FIRST_APPOINTMENTS)]

    async def book(booking: Request) -> None:
        answer = await sender.send(booking.method, booking.path, booking.key or "", booking.fields)
        # A patient may be busy with a visit of an earlier run that was killed.
        requests.decided(booking, answer.resource)

    await all_of(map(book, bookings))
