"""The requests of a load test: each possible, none refused, and of people who may send it."""

from dataclasses import asdict
from itertools import islice
from random import Random
from uuid import uuid4

import pytest

from ops.load.job import Job, Sample
from ops.load.mix import Action, actions
from ops.load.scene import NoSlotsLeftError, Request, Requests, Scene
from ops.load.tokens import TokenSource

STARTS = [f"2027-03-{day:02}T09:00:00+01:00" for day in range(1, 31)]


@pytest.fixture
def scene() -> Scene:
    return Scene(
        name="Load test 1",
        doctors=["doctor-0", "doctor-1"],
        patients=[str(uuid4()) for _ in range(10)],
        starts=list(STARTS),
        monday="2027-03-01",
    )


def confirmed(number: int) -> dict[str, object]:
    return {"state": "confirmed", "appointment_id": f"appointment-{number}"}


def test_no_slot_is_booked_twice_and_no_patient_is_in_two_places(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=False)
    booked = [requests.request(Action.BOOK) for _ in range(40)]
    slots = [
        (request.fields["doctor_id"], request.fields["starts_at"]) for request in booked if request.fields
    ]
    visits = [(request.patient, request.fields["starts_at"]) for request in booked if request.fields]
    assert len(set(slots)) == len(set(visits)) == 40
    assert len({request.key for request in booked}) == 40


def test_what_is_cancelled_is_not_moved_or_cancelled_again(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=False)
    for number in range(3):
        requests.decided(requests.request(Action.BOOK), confirmed(number))
    cancelled = [requests.request(Action.CANCEL) for _ in range(3)]
    assert {request.path for request in cancelled} == {f"/v1/appointments/appointment-{n}" for n in range(3)}
    assert scene.appointments == []
    for request in cancelled:
        requests.decided(request, confirmed(0))
    assert scene.appointments == []
    assert requests.request(Action.APPOINTMENT).action is Action.APPOINTMENTS
    # With nothing left, a patient books.
    assert requests.request(Action.CANCEL).action is Action.BOOK


def test_a_moved_appointment_can_be_moved_again_by_its_patient(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=False)
    booking = requests.request(Action.BOOK)
    requests.decided(booking, confirmed(5))
    move = requests.request(Action.RESCHEDULE)
    assert (move.path, move.patient) == ("/v1/appointments/appointment-5/reschedule", booking.patient)
    assert scene.appointments == []
    requests.decided(move, confirmed(5))
    assert scene.appointments == [("appointment-5", booking.patient)]


def test_a_refused_booking_is_no_appointment(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=False)
    requests.decided(requests.request(Action.BOOK), {"state": "refused", "appointment_id": "none"})
    assert scene.appointments == []


def test_reads_are_of_the_own_appointments_and_doctors(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=False)
    requests.decided(requests.request(Action.BOOK), confirmed(1))
    paths = {action: requests.request(action).path for action in Action if not action.is_write}
    assert paths[Action.APPOINTMENTS] == "/v1/appointments"
    assert paths[Action.APPOINTMENT] == "/v1/appointments/appointment-1"
    assert paths[Action.DOCTORS] == "/v1/doctors?specialty=Load+test+1"
    assert paths[Action.FREE_SLOTS].startswith("/v1/doctors/doctor-")


def test_staff_name_the_patient(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=True)
    booking = requests.request(Action.BOOK)
    assert booking.fields is not None
    assert booking.fields["patient_id"] == scene.patients[booking.patient]
    listed = requests.request(Action.APPOINTMENTS)
    assert listed.path == f"/v1/appointments?patient_id={scene.patients[listed.patient]}"


def test_it_ends_when_nothing_can_be_booked_any_more(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=False)

    def book_all() -> list[Request]:
        return [requests.request(Action.BOOK) for _ in range(2 * len(STARTS) + 1)]

    with pytest.raises(NoSlotsLeftError, match="--doctors"):
        book_all()


def test_a_job_and_a_sample_travel_between_the_processes(scene: Scene) -> None:
    requests = Requests(scene, Random(1), as_staff=False)
    for number, action in enumerate(islice(actions(1), 50)):
        request = requests.request(action)
        if action.is_write:
            requests.decided(request, confirmed(number))
    source = TokenSource(key_file="/keys/signing.pem")
    job = Job("http://127.0.0.1:1", source, 10, 5, 1, 20, seed=4, scene=scene)
    arrived = Job.from_json(job.to_json())
    assert asdict(arrived) == asdict(job) | {"scene": asdict(arrived.scene)}
    assert [tuple(pair) for pair in arrived.scene.appointments] == scene.appointments
    assert arrived.scene.used == scene.used
    sample = Sample(-0.5, Action.BOOK, 12.25, "refused: slot_taken", ok=True)
    assert Sample.from_line(sample.to_line()) == sample
