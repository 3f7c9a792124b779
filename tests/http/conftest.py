"""Clinics for tests over HTTP. Tests that make their own doctors and patients share one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.commands import Actor, ActorKind
from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.settings import Settings
from ops.embedded import EmbeddedStack
from ops.embedded.supervisor import Supervisor
from tests.clinic import Clinic, Patient, ingress_process, records
from tests.clinic import clinic as running_clinic

ACK_TIMEOUT_MS = 1_000


@pytest.fixture(scope="module")
async def shared(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic for all tests of a module."""
    async with running_clinic(settings, template) as clinic:
        yield clinic


@pytest.fixture
async def undecided(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic that accepts commands, without a worker to decide them."""
    async with running_clinic(settings, template, worker=False) as clinic:
        yield clinic


@pytest.fixture(scope="module")
async def patient(shared: Clinic) -> Patient:
    """A patient that all tests of a module share."""
    return await shared.patient()


@pytest.fixture
def staff() -> Actor:
    """A member of staff without any audited action yet."""
    return Actor(kind=ActorKind.STAFF, id=clock.new_id())


@pytest.fixture(scope="module")
async def doctor_id(shared: Clinic) -> str:
    """A doctor that all tests of a module share."""
    return await shared.doctor()


@pytest.fixture(scope="module")
async def nothing_reaches_the_log(shared: Clinic, patient: Patient, doctor_id: str) -> AsyncIterator[None]:
    """Asserts that a module's tests append no command."""
    before = len(await records(shared.settings, COMMANDS_TOPIC))
    yield
    assert len(await records(shared.settings, COMMANDS_TOPIC)) == before


@pytest.fixture
async def supervised(
    settings: Settings, template: str, tmp_path: Path, stack: EmbeddedStack
) -> AsyncIterator[Clinic]:
    """A clinic whose ingress is a supervised process that gives up on Kafka soon."""
    impatient = settings.model_copy(update={"kafka_ack_timeout_ms": ACK_TIMEOUT_MS})
    async with running_clinic(impatient, template, worker=False, serve=False) as clinic:
        ingress = ingress_process(clinic.settings, tmp_path)
        await ingress.start()
        supervisor = Supervisor(lambda _: None)
        supervisor.watch(ingress)
        yield clinic
        await supervisor.close()
        await ingress.stop()
