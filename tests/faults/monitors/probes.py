"""Probes: a visit is booked regularly and has to reach the audit trail and the patient's mailbox."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg

from infra import clock
from infra.postgres import OUTAGES
from infra.settings import Settings
from ops.tokens import register_patients
from tests.faults.checker import Finding
from tests.faults.monitors.mailbox import Mailbox
from tests.faults.monitors.recovery import PATH, Recoveries
from tests.faults.workload.scene import WALK_IN_TYPES, weekly
from tests.waiting import beside

INTERVAL_S = 5.0
POLL_S = 0.3
# A notifier that takes over waits until its predecessor's claims expire, and starts slowly after an outage.
LATE_S = 90.0
POLICY = {"slot_minutes": 1, "min_notice_minutes": 0, "change_notice_minutes": 0}


class Probes:
    """Sends probes while `watching`; a late one is a finding.

    Attributes:
        took_s: how long each took, from its confirmation until both had arrived.
    """

    def __init__(self, recoveries: Recoveries, mailbox: Mailbox, findings: list[Finding]) -> None:
        self.took_s: list[float] = []
        self._recoveries = recoveries
        self._mailbox = mailbox
        self._findings = findings
        self._doctor_ids = [str(id_) for id_ in recoveries.doctors[:2]]
        self._starts_at = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._starts_at += timedelta(days=20)
        self._mailed: set[str] = set()
        self._number = 0
        self._one_at_a_time = asyncio.Lock()
        self._late = False
        self._stopping = False

    @contextlib.asynccontextmanager
    async def watching(self, settings: Settings) -> AsyncIterator[None]:
        """Register a doctor for the probes, then send them regularly inside the block."""
        self._settings = settings
        [self._other_patient_id] = await register_patients(settings, [f"{clock.new_id().hex}@example.org"])
        async with beside(self._watch()):
            yield

    async def once(self) -> None:
        """One visit: booked, audited and mailed."""
        async with self._one_at_a_time:
            # A late probe is reported once: it may never arrive.
            if not self._late:
                await self._once()

    async def last(self) -> None:
        """The last probe."""
        self._stopping = True
        await self.once()

    async def book_and_move(self) -> dict[str, str]:
        """Book a visit with one doctor and move it to another in another partition; both are confirmed.

        Returns the request by which another patient would ask for the time that it was moved to.
        """
        self._number += 1
        client, (first, second) = self._recoveries.clients[0], self._doctor_ids
        slot = {"starts_at": self._slot(), "visit_type": "checkup"}
        booked = {"doctor_id": first, "patient_id": str(self._recoveries.patient_id), **slot}
        answer = await self._recoveries.ask(client, "POST", PATH, booked)
        path = f"{PATH}/{answer.get('appointment_id')}/reschedule"
        move = {"doctor_id": second, "starts_at": slot["starts_at"]}
        await self._recoveries.ask(client, "POST", path, move)
        return {"doctor_id": second, "patient_id": str(self._other_patient_id), **slot}

    async def _watch(self) -> None:
        await self._register()
        while not self._stopping:
            await self.once()
            await asyncio.sleep(INTERVAL_S)

    def _slot(self) -> str:
        return (self._starts_at + self._number * timedelta(minutes=2)).isoformat()

    async def _register(self) -> None:
        async with self._one_at_a_time:
            client = self._recoveries.clients[0]
            for number, id_ in enumerate(self._doctor_ids, 1):
                doctor = {
                    "id": id_,
                    # Of different names: a move to a namesake would change nothing that a mail says.
                    "name": f"Dr. Probe {number}",
                    "specialty": "faults",
                    "time_zone": "Europe/Berlin",
                    "visit_types": WALK_IN_TYPES,
                    "policy": POLICY,
                }
                await self._recoveries.ask(client, "POST", "/v1/doctors", doctor)
                hours = {"hours": weekly(("00:00", "23:59"))}
                await self._recoveries.ask(client, "PUT", f"/v1/doctors/{id_}/schedule", hours)

    async def _once(self) -> None:
        self._number += 1
        clients = self._recoveries.clients
        body = {
            "doctor_id": self._doctor_ids[0],
            "patient_id": str(self._recoveries.patient_id),
            "starts_at": self._slot(),
            "visit_type": "checkup",
        }
        client = clients[self._number % len(clients)]
        answer = await self._recoveries.ask(client, "POST", PATH, body)
        if answer.get("state") != "confirmed":
            return  # The checker judges that answer.
        begun, missing = time.monotonic(), ["entry", "mail"]
        while missing:
            if time.monotonic() - begun > LATE_S:
                self._late = True
                text = f"visit {answer['appointment_id']} is confirmed for {LATE_S:g} s"
                self._findings.append(Finding("I11", f"{text} and still has no {' and no '.join(missing)}"))
                return
            await asyncio.sleep(POLL_S)
            missing = await self._missing(answer["appointment_id"])
        self.took_s.append(time.monotonic() - begun)

    async def _missing(self, appointment_id: str) -> list[str]:
        self._mailed.update(mail.appointment_id or "" for mail in self._mailbox.poll())
        missing = [] if appointment_id in self._mailed else ["mail"]
        try:
            postgres = await asyncpg.connect(self._settings.postgres_dsn.get_secret_value())
            try:
                query = "SELECT EXISTS (SELECT FROM audit.entries WHERE appointment_id = $1)"
                entered = await postgres.fetchval(query, appointment_id)
            finally:
                await postgres.close()
        except OUTAGES:
            entered = False
        return missing if entered else ["entry", *missing]
