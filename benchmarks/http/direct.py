"""The usual way, to compare with: an endpoint that inserts, and lets the constraints decide.

No log, no events, no idempotency, nobody to authenticate. Inserts that meet in an exclusion constraint wait
for each other; Postgres ends such a deadlock after a second, and whom it chose is answered 503. With
`ON CONFLICT DO NOTHING` they do not wait.

`python -m benchmarks.http.direct` serves it on the port and database that the settings name.
"""

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uvicorn
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

from benchmarks.stack.scratch import environment, free_port, scratch_database
from infra.errors import ClinicError
from infra.settings import Settings

# asyncpg's own default.
POOL_SIZE = 10
VISIT = timedelta(minutes=15)
START_TIMEOUT_S = 20.0
POLL_INTERVAL_S = 0.05
SCHEMA = """
    CREATE EXTENSION IF NOT EXISTS btree_gist;
    CREATE TABLE appointments (
        id         uuid        PRIMARY KEY,
        doctor_id  uuid        NOT NULL,
        patient_id uuid        NOT NULL,
        visit_type text        NOT NULL,
        starts_at  timestamptz NOT NULL,
        ends_at    timestamptz NOT NULL,
        occupied   tstzrange   NOT NULL,
        status     text        NOT NULL,
        CONSTRAINT slot_taken EXCLUDE USING gist (doctor_id WITH =, occupied WITH &&)
            WHERE (status = 'booked'),
        CONSTRAINT patient_busy EXCLUDE USING gist (patient_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
            WHERE (status = 'booked')
    )
"""
INSERT = "INSERT INTO appointments VALUES ($1, $2, $3, $4, $5, $6, tstzrange($5, $6), 'booked')"
PATHS = {"INSERT or 409": "/insert", "INSERT … ON CONFLICT DO NOTHING": "/on-conflict"}


class Booking(BaseModel):
    """What is wanted."""

    doctor_id: UUID
    patient_id: UUID
    visit_type: str
    starts_at: datetime


def create_app(dsn: str) -> FastAPI:
    """200 if the slot was free, else 409; in two ways."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=POOL_SIZE, max_size=POOL_SIZE) as app.state.pool:
            yield

    app = FastAPI(lifespan=lifespan)

    async def insert(booking: Booking, statement: str) -> bool:
        ends_at = booking.starts_at + VISIT
        ids = (uuid4(), booking.doctor_id, booking.patient_id)
        row = (*ids, booking.visit_type, booking.starts_at, ends_at)
        try:
            done = await app.state.pool.execute(statement, *row)
        except asyncpg.ExclusionViolationError:
            return False
        except asyncpg.DeadlockDetectedError:
            raise HTTPException(503, "deadlock") from None
        return bool(done == "INSERT 0 1")

    @app.post("/insert")
    async def book(body: Booking, response: Response) -> dict[str, Any]:
        return _answer(response, await insert(body, INSERT))

    @app.post("/on-conflict")
    async def book_if_free(body: Booking, response: Response) -> dict[str, Any]:
        return _answer(response, await insert(body, f"{INSERT} ON CONFLICT DO NOTHING"))

    return app


def _answer(response: Response, is_booked: bool) -> dict[str, Any]:
    response.status_code = 200 if is_booked else 409
    return {"state": "confirmed"} if is_booked else {"state": "refused", "reason": "slot_taken"}


@contextlib.asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[int]:
    """The endpoint in a process of its own, on an empty table. Yields its process id.

    Raises:
        ClinicError: it does not start.
    """
    database = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    await database.execute(SCHEMA)
    await database.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.http.direct",
        env={**os.environ, **environment(settings)},
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_it_listens(process, settings.port)
        yield process.pid
    finally:
        if process.returncode is None:
            process.kill()  # it may have hundreds of requests left
        await process.wait()


@contextlib.asynccontextmanager
async def on_its_own(settings: Settings) -> AsyncIterator[tuple[str, Iterator[bytes]]]:
    """The endpoint on a scratch database: its address, and requests that each book a free slot."""
    async with scratch_database(settings, f"bench_direct_{uuid4().hex[:8]}") as scratch:
        scratch = scratch.model_copy(update={"port": free_port(), "url": ""})
        async with served(scratch):
            yield f"http://127.0.0.1:{scratch.port}", _free_slots(scratch.port)


def _free_slots(port: int) -> Iterator[bytes]:
    head = f"POST {PATHS['INSERT … ON CONFLICT DO NOTHING']} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
    doctors = [uuid4() for _ in range(48)]
    starts_at = datetime(2030, 1, 1, tzinfo=UTC)
    for number in itertools.count():
        slot = (starts_at + number // len(doctors) * VISIT).isoformat()
        body = (
            f'{{"doctor_id":"{doctors[number % len(doctors)]}","patient_id":"{uuid4()}",'
            f'"visit_type":"visit","starts_at":"{slot}"}}'
        )
        lines = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        yield (head + lines + body).encode()


async def _until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(POLL_INTERVAL_S)
            else:
                writer.close()
                return
    raise ClinicError("The endpoint to compare with ended at once.")


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings()
    app = create_app(settings.postgres_dsn.get_secret_value())
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()
