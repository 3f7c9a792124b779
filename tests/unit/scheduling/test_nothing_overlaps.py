"""For any commands in any order: no doctor and no patient is ever double-booked."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import combinations
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.commands import Actor, ActorKind, BookAppointment, Command, VisitOutcome
from contracts.doctors import Policy, VisitType
from contracts.events import Fact, TimeBlocked
from contracts.refusals import Refusal
from scheduling.decide import decide
from scheduling.evolve import evolve
from scheduling.opening_hours import Interval
from scheduling.state import Appointment, Book, Status
from tests.unit.scheduling import asked
from tests.unit.scheduling.clinic import (
    BY_STAFF,
    CHECKUP,
    DOCTOR,
    NOW,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    SHORT,
    SURGERY,
    a_doctor,
    appointment_id,
    entry,
    monday,
)

DOCTORS, PATIENTS = (DOCTOR, OTHER_DOCTOR), (PATIENT, OTHER_PATIENT)
FEW = 6
WIDER = SURGERY.model_copy(update={"buffer_before_minutes": 45, "buffer_after_minutes": 90})
OFFERS: tuple[tuple[VisitType, ...], ...] = ((CHECKUP, SHORT, SURGERY), (CHECKUP, SHORT, WIDER))

doctors, patients = some.sampled_from(DOCTORS), some.sampled_from(PATIENTS)
appointments = some.integers(0, FEW - 1).map(appointment_id)
kinds = some.sampled_from(["checkup", "short", "surgery"])
starts = some.integers(0, 16).map(lambda quarters: monday("08:45") + quarters * timedelta(minutes=15))
lengths = some.integers(1, 8).map(lambda quarters: quarters * timedelta(minutes=15))
actors = some.just(BY_STAFF) | patients.map(lambda patient: Actor(kind=ActorKind.PATIENT, id=patient))


def _block(start: datetime, length: timedelta, cancel_conflicting: bool, doctor: UUID) -> Command:
    return asked.block(start, start + length, cancel_conflicting, doctor)


commands: some.SearchStrategy[Command] = some.one_of(
    some.builds(asked.book, starts, kinds, actors, doctors, patients, appointments),
    some.builds(asked.book, starts, kinds, actors, doctors, patients, appointments),
    some.builds(asked.reschedule, starts, some.none() | kinds, actors, doctors, appointments),
    some.builds(asked.reschedule, starts, some.none() | kinds, actors, doctors, appointments),
    some.builds(asked.cancel, actors, doctors, appointments),
    some.builds(asked.record, some.sampled_from(VisitOutcome), some.just(BY_STAFF), doctors, appointments),
    some.builds(_block, starts, lengths, some.booleans(), doctors),
    some.builds(asked.unblock, doctors),
    some.builds(asked.update, doctors, visit_types=some.sampled_from(OFFERS)),
)
waits = some.sampled_from([timedelta(0), timedelta(minutes=1), timedelta(hours=20), timedelta(hours=69)])
histories = some.lists(some.tuples(commands, waits), min_size=3, max_size=30)


def a_clinic() -> Book:
    lenient = Policy(min_notice_minutes=0, change_notice_minutes=0)
    book = Book()
    for doctor in DOCTORS:
        for fact in a_doctor(doctor, (entry(1, "09:00", "13:00"),), policy=lenient):
            evolve(book, fact, NOW)
    return book


def is_new(book: Book, command: Command) -> bool:
    """Appointment ids derive from command ids, so that none is made twice."""
    return not (isinstance(command, BookAppointment) and command.appointment_id in book.appointments)


def booked_in(book: Book) -> list[Appointment]:
    return [appointment for appointment in book.appointments.values() if appointment.status is Status.BOOKED]


def overlap_free(intervals: Iterable[Interval]) -> bool:
    return not any(first.overlaps(second) for first, second in combinations(intervals, 2))


def through(
    history: list[tuple[Command, timedelta]], look: Callable[[Book, Command, list[Fact]], None]
) -> None:
    """Decide one command after the other, as the worker does, and check the book after each."""
    book, now = a_clinic(), NOW
    for command, wait in history:
        now += wait
        if not is_new(book, command):
            continue
        outcome = decide(book, command, now)
        facts = [] if isinstance(outcome, Refusal) else outcome
        for fact in facts:
            evolve(book, fact, now)
        look(book, command, facts)


@settings(max_examples=250, deadline=None)
@given(history=histories)
def test_no_two_appointments_of_a_doctor_or_of_a_patient_overlap(
    history: list[tuple[Command, timedelta]],
) -> None:
    def look(book: Book, command: Command, facts: list[Fact]) -> None:
        booked = booked_in(book)
        for doctor in DOCTORS:
            assert overlap_free(
                appointment.occupied for appointment in booked if appointment.doctor_id == doctor
            )
        for patient in PATIENTS:
            assert overlap_free(
                appointment.visit for appointment in booked if appointment.patient_id == patient
            )

    through(history, look)


@settings(max_examples=150, deadline=None)
@given(history=histories)
def test_the_indexes_of_the_book_match_its_contents(history: list[tuple[Command, timedelta]]) -> None:
    always = Interval(NOW - timedelta(days=1), NOW + timedelta(days=30))

    def look(book: Book, command: Command, facts: list[Fact]) -> None:
        booked = booked_in(book)
        for doctor in DOCTORS:
            taken = sorted(
                (appointment.occupied, appointment.id)
                for appointment in booked
                if appointment.doctor_id == doctor
            )
            assert list(book.occupied(doctor).overlapping(always)) == [id_ for _, id_ in taken]
        for patient in PATIENTS:
            assert {appointment.id for appointment in book.booked_by(patient)} == {
                appointment.id for appointment in booked if appointment.patient_id == patient
            }

    through(history, look)


@settings(max_examples=150, deadline=None)
@given(history=histories)
def test_granted_time_off_has_no_upcoming_visits_in_it(
    history: list[tuple[Command, timedelta]],
) -> None:
    def look(book: Book, command: Command, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, TimeBlocked):
                away = Interval(fact.starts_at, fact.ends_at)
                left = [
                    appointment for appointment in booked_in(book) if appointment.doctor_id == fact.doctor_id
                ]
                assert not any(appointment.visit.overlaps(away) for appointment in left)

    through([(command, timedelta(0)) for command, _ in history], look)


@settings(max_examples=100, deadline=None)
@given(history=histories)
def test_an_appointment_keeps_its_patient_and_its_version_only_grows(
    history: list[tuple[Command, timedelta]],
) -> None:
    seen: dict[UUID, Appointment] = {}

    def look(book: Book, command: Command, facts: list[Fact]) -> None:
        for appointment in book.appointments.values():
            before = seen.get(appointment.id, appointment)
            assert (appointment.patient_id, appointment.booked_at) == (before.patient_id, before.booked_at)
            assert appointment.version >= before.version
            if appointment.visit != before.visit or appointment.doctor_id != before.doctor_id:
                assert appointment.version == before.version + 1
            seen[appointment.id] = appointment

    through(history, look)
