"""Data for the HTTP benchmarks: doctors and patients of their own, and ready-made requests."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx

from benchmarks.http.load import Expected, closed_loop
from benchmarks.plan import BUSY, bookings, next_monday
from infra import clock
from infra.jobs import all_of
from infra.keys import Keys
from infra.postgres import open_pool
from infra.settings import Settings
from infra.signing_keys import load_signing_key
from infra.tokens import Role, issue_token
from ops.commands import Sender
from ops.load.practice import ORDINARY, VISIT_TYPE, Practice, register_doctors
from ops.tokens import staff_token
from storage.patients import Patients

BUSY_DOCTORS = 48
ORDINARY_DOCTORS = 6
# In the largest part a patient gets some five appointments.
PATIENTS = 10_000
ORDINARY_PATIENTS = 200
# Of the parts that need some who have nothing booked yet.
NEW_PATIENTS = 1_001
WEEKS = 4
IN_FLIGHT_MAX = 20
CONNECTIONS_MAX = 4
WAIT_S = 10

ACCEPTED = Expected(202, b'"state":"pending"')
CONFIRMED = Expected(200, b'"state":"confirmed"')
FREE_SLOTS = Expected(200, b'"slots":[')
NOT_FOUND = Expected(404, b"not_found")
LIVE = Expected(200, b"live")


@dataclass(frozen=True)
class Book:
    """Doctors, and the bookings to make with them: each of `requests(wait)` is one that was not made yet."""

    doctor_ids: list[UUID]
    requests: Callable[[bool], Iterator[bytes]]


@dataclass(frozen=True)
class Clinic:
    """The stack, and what was put into it."""

    settings: Settings
    data_dir: Path
    busy: Book
    ordinary: Book
    weeks: list[bytes]
    """Requests for one week's free slots, of the ordinary doctors in turn."""
    new_patients: list[bytes]
    """Tokens of patients who have no appointments until a part makes some."""

    @property
    def url(self) -> str:
        """Where the ingress listens."""
        return self.settings.url


async def set_up(settings: Settings, data_dir: Path) -> Clinic:
    """Register doctors and patients, and let the ingress see every patient's token once.

    Raises:
        ClinicError: the stack does not take them.
    """
    run = clock.new_id().hex[:8]
    zone = ZoneInfo(settings.time_zone)
    busy_ids = await registered_doctors(settings, run, "busy", BUSY, BUSY_DOCTORS)
    ordinary_ids = await registered_doctors(settings, run, "ordinary", ORDINARY, ORDINARY_DOCTORS)
    patient_ids = await _register_patients(settings, run, PATIENTS + ORDINARY_PATIENTS + NEW_PATIENTS)
    tokens = _tokens(settings, patient_ids)
    await _show(settings, tokens)
    ordinary_tokens = tokens[PATIENTS : PATIENTS + ORDINARY_PATIENTS]
    return Clinic(
        settings,
        data_dir,
        busy=_book(settings, f"{run}-busy", busy_ids, BUSY, zone, tokens[:PATIENTS]),
        ordinary=_book(settings, f"{run}-ordinary", ordinary_ids, ORDINARY, zone, ordinary_tokens),
        weeks=_weeks(settings, ordinary_ids, zone),
        new_patients=tokens[-NEW_PATIENTS:],
    )


async def registered_doctors(
    settings: Settings, run: str, kind: str, practice: Practice, count: int
) -> list[UUID]:
    """Doctors with hours, confirmed. `run` and `kind` make their names and idempotency keys.

    Raises:
        ClinicError: the stack does not take them.
    """
    headers = {"Authorization": f"Bearer {staff_token(settings)}"}
    async with httpx.AsyncClient(base_url=settings.url, headers=headers, trust_env=False) as http:
        name = f"Benchmark {run} {kind}"
        return await register_doctors(Sender(http, IN_FLIGHT_MAX), name, practice, count, settings.time_zone)


async def _register_patients(settings: Settings, run: str, count: int) -> list[UUID]:
    keys = Keys.load(settings)
    in_flight = asyncio.Semaphore(CONNECTIONS_MAX)
    # Not durable at once: these patients are worth nothing, and there are many.
    pool = await open_pool(
        settings.ingress_dsn,
        "benchmarks",
        connections_max=CONNECTIONS_MAX,
        server_settings={"synchronous_commit": "off"},
    )
    async with pool:
        patients = Patients(pool, keys)

        async def register(number: int) -> UUID:
            async with in_flight:
                return await patients.register(f"benchmark-{run}-{number}@example.com")

        return await all_of(register(number) for number in range(count))


def _tokens(settings: Settings, patient_ids: Sequence[UUID]) -> list[bytes]:
    key = load_signing_key(settings.signing_key_file)
    return [issue_token(key, id_, Role.PATIENT).encode() for id_ in patient_ids]


async def _show(settings: Settings, tokens: Sequence[bytes]) -> None:
    # The ingress remembers a token whose signature it checked, as of patients who looked around before.
    nowhere = f"/v1/appointments/{UUID(int=0)}"
    requests = (
        head("GET", nowhere, settings) + b"authorization: Bearer %s\r\n\r\n" % token for token in tokens
    )
    await closed_loop(settings.url, 16, requests, NOT_FOUND, seconds=60.0)


def head(method: str, target: str, settings: Settings) -> bytes:
    """The beginning of a request, to be continued by header lines."""
    return f"{method} {target} HTTP/1.1\r\nhost: {urlsplit(settings.url).netloc}\r\n".encode()


def _book(
    settings: Settings,
    run: str,
    ids: list[UUID],
    practice: Practice,
    zone: ZoneInfo,
    tokens: Sequence[bytes],
) -> Book:
    post = head("POST", "/v1/appointments", settings) + b"content-type: application/json\r\n"
    heads = [post + b"authorization: Bearer %s\r\nidempotency-key: " % token for token in tokens]
    doctors = [f'{{"doctor_id":"{id_}","visit_type":"{VISIT_TYPE}","starts_at":"'.encode() for id_ in ids]
    starts = practice.starts(zone)
    texts = {start: start.isoformat().encode() for start in starts}
    planned = bookings(starts, len(ids), len(tokens))
    prefix = run.encode()

    def requests(wait: bool) -> Iterator[bytes]:
        prefer = f"\r\nprefer: wait={WAIT_S}".encode() if wait else b""
        for booking in planned:
            body = doctors[booking.doctor] + texts[booking.starts_at] + b'"}'
            yield b"%s%s-%d%s\r\ncontent-length: %d\r\n\r\n%s" % (
                heads[booking.patient],
                prefix,
                booking.number,
                prefer,
                len(body),
                body,
            )

    return Book(ids, requests)


def _weeks(settings: Settings, ids: Sequence[UUID], zone: ZoneInfo) -> list[bytes]:
    mondays = [next_monday(zone) + timedelta(weeks=number) for number in range(WEEKS)]
    targets = (
        f"/v1/doctors/{id_}/availability"
        f"?from={monday}&to={monday + timedelta(days=6)}&visit_type={VISIT_TYPE}"
        for monday, id_ in itertools.product(mondays, ids)
    )
    return [head("GET", target, settings) + b"\r\n" for target in targets]
