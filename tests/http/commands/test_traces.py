"""All that a request writes has one trace id, the client's or a new one."""

import re

import pytest

from contracts.commands import Actor, ActorKind
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from tests.clinic import Clinic, records
from tests.http.asking import booked, get
from tests.http.audit.test_security_events import TRACE, by
from tests.http.people import forget
from tests.waiting import until_async


async def traces(clinic: Clinic) -> list[str]:
    """The trace ids of the newest command of each partition and of its event."""
    found = []
    for topic in (COMMANDS_TOPIC, EVENTS_TOPIC):
        newest = {record.partition: dict(record.headers) for record in await records(clinic.settings, topic)}
        found += [headers["traceparent"].decode() for headers in newest.values()]
    return found


@pytest.mark.parametrize("given", [None, TRACE["traceparent"], "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
async def test_a_command_and_its_event_have_it(clinic: Clinic, given: str | None) -> None:
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    who = patient.headers | ({"traceparent": given} if given else {})
    await booked(clinic, who, doctor_id, (await clinic.slots(doctor_id))[0])

    command, event = await traces(clinic)

    assert command == event
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]", command)
    assert (command == given) is (given == TRACE["traceparent"])


async def test_everything_that_one_request_does_has_the_same(clinic: Clinic) -> None:
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    await booked(clinic, patient.headers, doctor_id, (await clinic.slots(doctor_id))[0])
    await forget(clinic, patient)

    [forgotten] = await by(clinic, Actor(kind=ActorKind.PATIENT, id=patient.id))

    assert forgotten.request_id

    async def cancelled() -> bool:
        return str(forgotten.request_id) in (await traces(clinic))[0]

    await until_async(cancelled, "the cancellation has it")


async def test_each_request_without_one_gets_its_own(shared: Clinic, staff: Actor) -> None:
    patient = await shared.patient()
    for _ in range(3):
        await get(shared.http, f"/v1/patients/{patient.id}", shared.headers(staff))

    ids = {event.request_id for event in await by(shared, staff)}

    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", id_ or "") for id_ in ids)
