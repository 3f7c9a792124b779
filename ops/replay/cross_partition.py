"""Decides a command again with the state of other partitions at that time.

A partition's own events are folded in order. Changes of its appointments by other partitions (a reschedule to
another doctor, a cancellation, an outcome) have no position in that order: the evidence in the event records
which of them the decision saw. If an appointment was next changed by another partition and is not in the
evidence, that change came first if the appointment would otherwise conflict; if not, it makes no difference.
"""

from itertools import product
from uuid import UUID

from booking_worker.decide.command_record import CommandRecord
from booking_worker.decide.load_plan import NAMES_AN_APPOINTMENT
from contracts.commands import BlockTime, BookAppointment, Command, RescheduleAppointment
from contracts.events import AppointmentFact, CommandRefused, Evidence, Fact
from contracts.refusals import Reason
from ops.replay.decide_again import facts_of, formerly, outcome_of
from ops.replay.other_partitions import OtherPartitions, may_be_seen
from ops.replay.zone_rules import without_promises
from scheduling.evidence import evidence_of
from scheduling.opening_hours import Interval
from scheduling.slots import visit_at, with_buffers
from scheduling.state import Appointment, Book, Doctor, Status

# Refusals that a constraint of the database may cause.
OF_CONSTRAINTS = (Reason.SLOT_TAKEN, Reason.PATIENT_BUSY)


class CrossPartition:
    """A command to decide again. `book` is that of its partition just before the event `sequence`.

    `hours`: its recorded facts, where they tell whether the visit lay within the hours (`zone_rules`).
    """

    def __init__(
        self,
        book: Book,
        others: OtherPartitions,
        record: CommandRecord,
        sequence: int,
        hours: list[Fact] | None = None,
    ) -> None:
        assert record.command is not None, "only commands are decided"
        self._book = book
        self._others = others
        self._record = record
        self._command: Command = record.command
        self._sequence = sequence
        self._hours = hours
        self._named = (
            [self._command.appointment_id] if isinstance(self._command, NAMES_AN_APPOINTMENT) else []
        )

    async def fits(self, recorded: list[Fact], evidence: Evidence | None) -> bool:
        """True if deciding again gives the recorded facts, promises aside. Then changes by other partitions
        are put into the book."""
        recorded = without_promises(recorded)
        if evidence is None:
            return self._decides(self._book, recorded) or await self._is_plausible(recorded)
        if self._gives(self._book, recorded, evidence):
            return True
        seen = await self._seen(evidence)
        if seen is None:
            return False
        named = next((seen[id_] for id_ in self._named if id_ in seen), self._known())
        left = await self._left(named)
        states = {id_: self._book.appointments[id_] for id_ in self._looked_at(named) - left.keys()}
        states |= ({named.id: named} if named else {}) | seen
        doctors = [*self._book.doctors.values(), *await self._doctor(named, evidence.change_notice_minutes)]
        if self._gives(Book(doctors, states.values()), recorded, evidence):
            self._learn(recorded, left, named)
            return True
        # A conflict that only a constraint of the database found leaves no evidence.
        by_constraint = not seen and getattr(recorded[0], "reason", None) in OF_CONSTRAINTS
        return by_constraint and await self._is_plausible(recorded)

    def _facts(self, book: Book) -> list[Fact] | None:
        return facts_of(book, self._record, self._hours)

    def _decides(self, book: Book, recorded: list[Fact]) -> bool:
        """True if this release, or an earlier one, gives the recorded facts with this book."""
        facts = self._facts(book)
        return recorded == facts or (facts is not None and recorded == formerly(book, self._command, facts))

    def _gives(self, book: Book, recorded: list[Fact], evidence: Evidence) -> bool:
        """True if deciding with this book gives the recorded facts and evidence."""
        if not self._decides(book, recorded):
            return False
        made = evidence_of(book, self._command, outcome_of(book, self._record, self._hours))
        same_notice = made.change_notice_minutes == evidence.change_notice_minutes
        return same_notice and set(made.appointments) == set(evidence.appointments)

    def _learn(self, recorded: list[Fact], left: dict[UUID, Appointment], named: Appointment | None) -> None:
        if named is not None:
            self._book.put(named)
        for fact in recorded:
            if isinstance(fact, AppointmentFact):
                taken = Interval(fact.occupied_from, fact.occupied_until)
                for id_ in list(self._book.occupied(fact.doctor_id).overlapping(taken)):
                    if id_ in left:
                        self._book.put(left[id_])

    async def _seen(self, evidence: Evidence) -> dict[UUID, Appointment] | None:
        """The appointments of the evidence; None if one never had that state, or not at that time."""
        changes = await self._others.changes(seen.appointment_id for seen in evidence.appointments)
        states: dict[UUID, Appointment] = {}
        for seen in evidence.appointments:
            history = changes[seen.appointment_id]
            for change, after in zip(history, [*history[1:], None], strict=True):
                found = change.after
                same = (found.version, found.status) == (seen.version, seen.status)
                if same and may_be_seen(change, after, self._record.partition, self._sequence):
                    states[found.id] = found
            if seen.appointment_id not in states:
                return None
        return states

    def _known(self) -> Appointment | None:
        """The appointment that the command names, in the partition's book."""
        return next(filter(None, map(self._book.appointments.get, self._named)), None)

    async def _left(self, named: Appointment | None) -> dict[UUID, Appointment]:
        """Appointments that the command looks at and that another partition changed next, after that
        change."""
        ids = self._looked_at(named)
        left: dict[UUID, Appointment] = {}
        for id_, history in (await self._others.changes(ids)).items():
            known = self._book.appointments[id_]
            after = [change for change in history if _order(change.after) > _order(known)]
            if known.doctor_id not in self._book.doctors:
                left[id_] = known
            elif after and after[0].partition != self._record.partition:
                left[id_] = after[0].after
        return left

    def _looked_at(self, named: Appointment | None) -> set[UUID]:
        """The appointments in the partition's book that the command can conflict with."""
        book, command, ids = self._book, self._command, set[UUID]()
        patient_id = command.patient_id if isinstance(command, BookAppointment) else None
        patient_id = named.patient_id if named else patient_id
        if patient_id is not None:
            ids |= {found.id for found in book.booked_by(patient_id)}
        occupied = book.occupied(command.doctor_id)
        if isinstance(command, BlockTime):
            ids |= set(occupied.overlapping(Interval(command.starts_at, command.ends_at)))
        doctor = book.doctors.get(command.doctor_id)
        if doctor and isinstance(command, BookAppointment | RescheduleAppointment):
            for visit_type in doctor.visit_types:
                visit = visit_at(command.starts_at, visit_type)
                ids |= set(occupied.overlapping(with_buffers(visit, visit_type)))
        return ids

    async def _doctor(self, named: Appointment | None, notice: int | None) -> list[Doctor]:
        """The doctor of the named appointment, if that is another partition's."""
        if named is None or named.doctor_id in self._book.doctors:
            return []
        doctor = await self._others.doctor(named.doctor_id, notice)
        return [doctor] if doctor else []

    async def _is_plausible(self, recorded: list[Fact]) -> bool:
        """The check of an event without evidence: some state must explain it.

        The appointment that the command names is tried in each of its states, and a doctor of another
        partition with each change notice. A busy patient must have had another visit at that time.
        """
        for named, with_left in product(await self._named_ever(), (False, True)):
            left = await self._left(named)
            ids = self._looked_at(named) - (set() if with_left else left.keys())
            states = {id_: self._book.appointments[id_] for id_ in ids} | ({named.id: named} if named else {})
            for doctors in await self._doctors_ever(named):
                book = Book([*self._book.doctors.values(), *doctors], states.values())
                decided = self._facts(book)
                if self._decides(book, recorded) or (
                    decided
                    and _is_busy(recorded)
                    and _patient_was_checked(decided)
                    and await self._clash(book, named)
                ):
                    self._learn(recorded, left, named)
                    return True
        return False

    async def _named_ever(self) -> list[Appointment | None]:
        histories = (await self._others.changes(self._named)).values()
        return [self._known(), *(change.after for history in histories for change in history)]

    async def _doctors_ever(self, named: Appointment | None) -> list[list[Doctor]]:
        if named is None or named.doctor_id in self._book.doctors:
            return [[]]
        notices = await self._others.notices(named.doctor_id)
        return [await self._doctor(named, notice) for notice in notices] or [[]]

    async def _clash(self, book: Book, named: Appointment | None) -> bool:
        command = self._command
        if not isinstance(command, BookAppointment | RescheduleAppointment):
            return False
        patient_id = named.patient_id if named else getattr(command, "patient_id", None)
        code = command.visit_type or (named.visit_type if named else "")
        visit_type = book.doctors[command.doctor_id].visit_type(code)
        assert patient_id is not None, "the decision required it"
        assert visit_type is not None, "the decision required it"
        visit = visit_at(command.starts_at, visit_type)
        named_id = named.id if named else None
        partition = self._record.partition
        return await self._others.clash(patient_id, visit, named_id, partition, self._sequence)


def _is_busy(facts: list[Fact]) -> bool:
    return isinstance(facts[0], CommandRefused) and facts[0].reason is Reason.PATIENT_BUSY


def _patient_was_checked(facts: list[Fact]) -> bool:
    """True if the decision got as far as checking the patient's other appointments."""
    return not isinstance(facts[0], CommandRefused) or facts[0].reason is Reason.TOO_MANY_ACTIVE


def _order(appointment: Appointment) -> tuple[int, bool]:
    # Earlier releases left the version as it was when they recorded an outcome.
    return appointment.version, appointment.status in (Status.COMPLETED, Status.NO_SHOW)
