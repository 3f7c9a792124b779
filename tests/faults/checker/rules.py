"""The booking rules: the outcomes that a command may have, given the states that its decision may have seen.

Usually one; several where it depends on another partition's decisions of about that time.
"""

from datetime import datetime

from tests.book.model import DAY, OUTCOMES, Appointment
from tests.book.practice import MINUTE, Doctor, Span, VisitType, overlap
from tests.faults.checker.messages import CONFIRMED, Command, Decision
from tests.faults.checker.timelines import hours_of
from tests.faults.checker.world import World

NOTHING_CHANGED = "nothing changed"


def possible_outcomes(world: World, decision: Decision, command: Command) -> set[str]:
    """`confirmed`, `nothing changed`, and the reasons of refusals, as far as each is legal."""
    match command.type:
        case "BookAppointment":
            return _book(world, decision, command)
        case "RescheduleAppointment" | "CancelAppointment" | "RecordOutcome":
            met = world.states(world.met(command.data["appointment_id"], decision))
            return {outcome for state in met for outcome in _change(world, decision, command, state)}
        case "RegisterDoctor":
            known = world.practice(command.doctor, decision)
            return {"already_registered" if known else CONFIRMED}
    practice = world.practice(command.doctor, decision)
    if practice is None:
        return {"unknown_doctor"}
    match command.type:
        case "SetWeeklyHours":
            return {"overlapping_hours" if _hours_overlap(command) else CONFIRMED}
        case "BlockTime":
            return _block(world, decision, command)
        case "UnblockTime":
            known_away = command.data["time_off_id"] in practice.doctor.time_off
            return {CONFIRMED if known_away else "unknown_time_off"}
    return {CONFIRMED}


def in_the_way(world: World, decision: Decision, command: Command) -> tuple[set[str], set[str]]:
    """The appointments that conflict with time off: certainly, and possibly."""
    when = command.instant("starts_at"), command.instant("ends_at")
    surely, perhaps = set(), set()
    for taken in world.appointments.with_doctor(command.doctor, when):
        visit = taken.state.visit
        if overlap(visit, when) and visit[1] > command.at and world.perhaps_taken(taken, decision):
            perhaps.add(taken.id)
            if world.surely_taken(taken, decision):
                surely.add(taken.id)
    return surely, perhaps


def _book(world: World, decision: Decision, command: Command) -> set[str]:
    patient = command.data["patient_id"]
    if command.by_patient and patient != command.actor[1]:
        return {"not_yours"}
    return _take(world, decision, command, patient, command.data["visit_type"], None)


def _change(world: World, decision: Decision, command: Command, met: Appointment | None) -> set[str]:
    if met is None:
        return {"unknown_appointment"}
    if command.by_patient and met.patient != command.actor[1]:
        return {"not_yours"}
    if command.type == "CancelAppointment" and met.status == "cancelled":
        return {NOTHING_CHANGED}
    if command.type == "RecordOutcome" and met.status in OUTCOMES:
        if command.data["outcome"] == met.status:
            return {NOTHING_CHANGED}
        return {CONFIRMED if command.at < met.corrected_until else "too_late_to_change"}
    if met.status != "booked":
        return {"not_booked"}
    if command.type == "RecordOutcome":
        return {"not_started" if command.at < met.visit[0] else CONFIRMED}
    if command.type == "CancelAppointment":
        in_time = {CONFIRMED}
    else:
        code = command.data.get("visit_type") or met.visit_type
        if (command.doctor, code, command.instant("starts_at")) == (met.doctor, met.visit_type, met.visit[0]):
            return {NOTHING_CHANGED}
        in_time = _take(world, decision, command, met.patient, code, met)
    if not command.by_patient:
        return in_time
    notices = [
        practice.doctor.policy.change_notice_minutes for practice in world.practices(met.doctor, decision)
    ]
    too_late = {met.visit[0] < command.at + notice * MINUTE for notice in notices}
    return ({"too_late_to_change"} if True in too_late else set()) | (in_time if False in too_late else set())


def _take(
    world: World,
    decision: Decision,
    command: Command,
    patient: str,
    code: str,
    moving: Appointment | None,
) -> set[str]:
    practice = world.practice(command.doctor, decision)
    if practice is None:
        return {"unknown_doctor"}
    doctor, starts = practice.doctor, command.instant("starts_at")
    kind = doctor.visit_type(code)
    if not doctor.active:
        return {"doctor_inactive"}
    if kind is None:
        return {"unknown_visit_type"}
    if why := why_not_then(doctor, starts, command.at, command.by_patient) or why_not_here(
        doctor, starts, kind
    ):
        return {why}
    visit, occupied = spans(starts, kind)
    moving_id = command.data["appointment_id"] if moving else None
    taken = world.appointments.with_doctor(command.doctor, occupied)
    busy = world.appointments.of_patient(patient, visit)
    outcomes: set[str] = set()
    for reason, found in (("slot_taken", taken), ("patient_busy", busy)):
        others = [other for other in found if other.id != moving_id and world.perhaps_taken(other, decision)]
        if others:
            outcomes.add(reason)
        if any(world.surely_taken(other, decision) for other in others):
            return outcomes
    stays = moving is not None and moving.doctor == command.doctor
    if command.by_patient and not stays:
        return outcomes | _counted(world, decision, command, patient, doctor)
    return outcomes | {CONFIRMED}


def _counted(world: World, decision: Decision, command: Command, patient: str, doctor: Doctor) -> set[str]:
    limit = doctor.policy.max_active_per_patient
    found = [
        taken
        for taken in world.appointments.of_both(patient, command.doctor)
        if taken.state.visit[0] > command.at and taken.id != command.data["appointment_id"]
    ]
    most = len({taken.id for taken in found if world.perhaps_taken(taken, decision)})
    least = len({taken.id for taken in found if world.surely_taken(taken, decision)})
    return ({"too_many_active"} if most >= limit else set()) | ({CONFIRMED} if least < limit else set())


def spans(starts: datetime, kind: VisitType) -> tuple[Span, Span]:
    """The visit, and the same with its buffers."""
    ends = starts + kind.minutes * MINUTE
    before, after = kind.buffer_before_minutes * MINUTE, kind.buffer_after_minutes * MINUTE
    return (starts, ends), (starts - before, ends + after)


def why_not_then(doctor: Doctor, starts: datetime, now: datetime, by_patient: bool) -> str | None:
    """The reason against a time by the clock alone."""
    if starts <= now:
        return "in_the_past"
    if by_patient and starts < now + doctor.policy.min_notice_minutes * MINUTE:
        return "too_soon"
    if by_patient and starts > now + doctor.policy.horizon_days * DAY:
        return "too_far_ahead"
    return None


def why_not_here(doctor: Doctor, starts: datetime, kind: VisitType) -> str | None:
    """The reason against a time by the doctor's hours and time off."""
    visit = starts, starts + kind.minutes * MINUTE
    if why := doctor.why_not_within(*visit):
        return why
    if any(overlap(visit, away) for away in doctor.time_off.values()):
        return "in_time_off"
    return None


def _block(world: World, decision: Decision, command: Command) -> set[str]:
    if command.instant("ends_at") <= command.at:
        return {"in_the_past"}
    surely, perhaps = in_the_way(world, decision, command)
    if command.data.get("cancel_conflicting") or not perhaps:
        return {CONFIRMED}
    return {"conflicts_with_bookings"} if surely else {"conflicts_with_bookings", CONFIRMED}


def _hours_overlap(command: Command) -> bool:
    hours = [hours_of(written) for written in command.data["hours"]]
    for number, entry in enumerate(hours):
        for other in hours[:number]:
            at_once = entry.starts < other.ends and other.starts < entry.ends
            first, last = max(entry.valid_from, other.valid_from), min(entry.valid_until, other.valid_until)
            if entry.weekday == other.weekday and at_once and first <= last:
                return True
    return False
