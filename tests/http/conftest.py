"""Clinics to ask over HTTP. Tests that make their own doctors and patients share one."""

import weakref
from collections.abc import AsyncIterator

import pytest

from auditor.main import running_auditor
from contracts.commands import Actor, ActorKind
from contracts.topics import COMMANDS
from infra import clock
from infra.settings import Settings
from ingress import event_feed
from tests.clinic import Clinic, Patient, records
from tests.clinic import clinic as running_clinic
from tests.http.asking import booked, cancel, reschedule
from tests.http.exports import Story, kept


@pytest.fixture(scope="module")
async def shared(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic for all tests of a module."""
    async with running_clinic(settings, template) as clinic:
        yield clinic


@pytest.fixture
async def undecided(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic that accepts commands; who decides them, and when, is up to the test."""
    async with running_clinic(settings, template, worker=False) as clinic:
        yield clinic


@pytest.fixture(scope="module")
async def patient(shared: Clinic) -> Patient:
    """A patient whom all tests of a module share."""
    return await shared.patient()


@pytest.fixture
def staff() -> Actor:
    """A member of staff of whom nothing is on record yet."""
    return Actor(kind=ActorKind.STAFF, id=clock.new_id())


@pytest.fixture(scope="module")
async def doctor_id(shared: Clinic) -> str:
    """A doctor whom all tests of a module share."""
    return await shared.doctor()


@pytest.fixture(scope="module")
async def nothing_reaches_the_log(shared: Clinic, patient: Patient, doctor_id: str) -> AsyncIterator[None]:
    """That a module's tests append no command."""
    before = len(await records(shared.settings, COMMANDS))
    yield
    assert len(await records(shared.settings, COMMANDS)) == before


@pytest.fixture(scope="module")
async def audited(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic with an auditor that signs often."""
    often = settings.model_copy(update={"audit_head_interval_s": 0.2})
    async with running_clinic(often, template) as clinic, running_auditor(clinic.settings):
        yield clinic


@pytest.fixture(scope="module")
async def story(audited: Clinic) -> Story:
    """What happened to one appointment, all of it kept."""
    doctors = [await audited.doctor(name=f"Dr. Canary {number}") for number in range(2)]
    patient = await audited.patient()
    free = await audited.slots(doctors[0])
    path = await booked(audited, patient.headers, doctors[0], free[0], reason="My canary knee")
    await reschedule(audited, path, patient.headers, free[4], doctor_id=doctors[1])
    await cancel(audited, path, audited.staff, reason="doctor_ill")
    await kept(audited)
    return Story(patient, doctors, path)


@pytest.fixture
def watchers(monkeypatch: pytest.MonkeyPatch) -> "weakref.WeakSet[event_feed.Watcher]":
    """Those who watch: empty once nothing of them is in memory."""
    alive: weakref.WeakSet[event_feed.Watcher] = weakref.WeakSet()

    class Seen(event_feed.Watcher):
        def __init__(self) -> None:
            super().__init__()
            alive.add(self)

    monkeypatch.setattr(event_feed, "Watcher", Seen)
    return alive
