"""A decision's events say exactly what its command asked for, and nothing else (I4, I5)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.book.model import Appointment
from tests.book.practice import VisitType
from tests.faults.checker.messages import CONFIRMED, Command, Decision, Event, instant
from tests.faults.checker.records import Finding
from tests.faults.checker.rules import in_the_way, possible_outcomes, spans
from tests.faults.checker.world import World

Facts = list[tuple[str, dict[str, Any]]]


def check_decisions(world: World) -> list[Finding]:
    """Each decision is allowed by the rules, and its events follow from it."""
    found = []
    for decision in world.log.all():
        command = decision.command
        if command is None or decision.position in world.log.poison:
            continue
        possible = possible_outcomes(world, decision, command)
        if decision.outcome not in possible:
            text = f"{decision} at {command.at.isoformat()} is decided {decision.outcome}"
            found.append(f"{text}; it can only be {' or '.join(sorted(possible))}: {_asked(command)}")
        else:
            found += _check_events(world, decision, command)
    return [Finding("I5", text) for text in found]


def _asked(command: Command) -> dict[str, Any]:
    known = {"command_id", "fingerprint", "actor"}
    return {name: value for name, value in command.data.items() if value is not None and name not in known}


def _check_events(world: World, decision: Decision, command: Command) -> Iterator[str]:
    events = decision.events
    if decision.outcome == CONFIRMED:
        expected = _facts(world, decision, command)
        if command.type == "BlockTime":
            yield from _check_cancelled(world, decision, command)
    else:
        # The ids that it names are checked too: they are in every answer.
        expected = [(events[0].type, _named(command))]
        if decision.outcome == "conflicts_with_bookings":
            surely, perhaps = in_the_way(world, decision, command)
            count = events[0].data.get("count")
            if not len(surely) <= (count or 0) <= len(perhaps):
                yield f"{decision} counts {count} conflicts, not {len(surely)} to {len(perhaps)}"
    if [event.type for event in events] != [type_ for type_, _ in expected]:
        yield f"{decision} made {', '.join(map(str, events))}; expected {[type_ for type_, _ in expected]}"
        return
    for event, (_, data) in zip(events, expected, strict=True):
        for name, value in data.items():
            said = event.data.get(name)
            if name == "previous" and isinstance(said, dict):
                # Its promise was checked with the event that made it.
                said = {key: part for key, part in said.items() if key != "promised_start"}
            if not _same(said, value):
                yield f"{event} of {decision} says {name}: {said!r}, not {_shown(value)!r}"


def _named(command: Command) -> dict[str, Any]:
    return {name: command.data[name] for name in ("appointment_id", "time_off_id") if name in command.data}


def _facts(world: World, decision: Decision, command: Command) -> Facts:
    data, doctor = command.data, {"doctor_id": command.doctor}
    practice = world.practice(command.doctor, decision)
    shown = dict(practice.shown) if practice else {}
    match command.type:
        case "BookAppointment" | "RescheduleAppointment" | "CancelAppointment" | "RecordOutcome":
            return [_about_an_appointment(world, decision, command)]
        case "RegisterDoctor":
            names = ("name", "specialty", "time_zone", "visit_types", "policy")
            return [("DoctorRegistered", doctor | {name: data[name] for name in names} | {"active": True})]
        case "UpdateDoctor":
            given = {name: value for name, value in data.items() if name in shown and value is not None}
            change = {name: value for name, value in (data.get("policy") or {}).items() if value is not None}
            return [("DoctorUpdated", doctor | shown | given | {"policy": shown["policy"] | change})]
        case "SetWeeklyHours":
            return [("WeeklyHoursSet", doctor | {"hours": data["hours"]})]
        case "UnblockTime":
            assert practice is not None, "else it is refused"
            when = practice.doctor.time_off[data["time_off_id"]]
            away = {"time_off_id": data["time_off_id"], "starts_at": when[0], "ends_at": when[1]}
            return [("TimeUnblocked", doctor | away)]
    when = command.instant("starts_at"), command.instant("ends_at")
    away = {"time_off_id": data["time_off_id"], "starts_at": when[0], "ends_at": when[1]}
    cancelled = [_cancelled_by_time_off(world, decision, event) for event in decision.events[1:]]
    return [("TimeBlocked", doctor | away | {"note": data.get("note")}), *cancelled]


def _about_an_appointment(world: World, decision: Decision, command: Command) -> tuple[str, dict[str, Any]]:
    data = command.data
    met = _met(world, decision, data["appointment_id"])
    match command.type:
        case "CancelAppointment":
            by = {"cancelled_by": command.actor[0], "cancel_reason": data.get("reason")}
            return "AppointmentCancelled", _after(data["appointment_id"], met) | by
        case "RecordOutcome":
            after = _after(data["appointment_id"], met)
            kept = {name: after[name] for name in ("appointment_id", "doctor_id", "patient_id", "version")}
            said = {"outcome": data["outcome"], "previous_status": met.status if met else None}
            return "OutcomeRecorded", kept | said
    code = data.get("visit_type") or (met.visit_type if met else "")
    practice = world.practice(command.doctor, decision)
    kind = practice.doctor.visit_type(code) if practice else None
    assert kind is not None, "else it is refused"
    assert practice is not None, "it has the visit type"
    starts = command.instant("starts_at")
    local = starts.astimezone(ZoneInfo(practice.doctor.time_zone)).isoformat()
    visit = {"doctor_id": command.doctor, "visit_type": code, **_times(starts, kind)}
    visit |= {"promised_start": f"{local}[{practice.doctor.time_zone}]"}
    if met is None:
        reason = {"reason": data.get("reason"), "patient_id": data["patient_id"]}
        booked = {"appointment_id": data["appointment_id"], "version": 1} | visit | reason
        return "AppointmentBooked", booked
    previous: dict[str, Any] = {"doctor_id": met.doctor, "visit_type": met.visit_type}
    previous |= {"starts_at": met.visit[0], "ends_at": met.visit[1]}
    return "AppointmentRescheduled", _after(data["appointment_id"], met) | visit | {"previous": previous}


def _after(id_: str, met: Appointment | None) -> dict[str, Any]:
    if met is None:
        return {"appointment_id": id_, "doctor_id": None, "patient_id": None, "version": None}
    return {
        "appointment_id": id_,
        "doctor_id": met.doctor,
        "patient_id": met.patient,
        "visit_type": met.visit_type,
        "starts_at": met.visit[0],
        "ends_at": met.visit[1],
        "occupied_from": met.occupied[0],
        "occupied_until": met.occupied[1],
        "version": met.version + 1,
    }


def _times(starts: datetime, kind: VisitType) -> dict[str, Any]:
    visit, occupied = spans(starts, kind)
    return {
        "starts_at": visit[0],
        "ends_at": visit[1],
        "occupied_from": occupied[0],
        "occupied_until": occupied[1],
    }


def _cancelled_by_time_off(world: World, decision: Decision, event: Event) -> tuple[str, dict[str, Any]]:
    id_ = event.data.get("appointment_id", "")
    by = {"cancelled_by": "clinic", "cancel_reason": "time_off"}
    return "AppointmentCancelled", _after(id_, _met(world, decision, id_)) | by


def _met(world: World, decision: Decision, id_: str) -> Appointment | None:
    # Exactly one, if the events are about the appointment of the command, as they should be.
    met = world.met(id_, decision)
    return met[-1].state if met and met[-1] else None


def _check_cancelled(world: World, decision: Decision, command: Command) -> Iterator[str]:
    surely, perhaps = in_the_way(world, decision, command)
    cancelled = {event.data.get("appointment_id") for event in decision.events[1:]}
    if left := surely - cancelled:
        yield f"{decision} leaves appointments in the time off: {', '.join(sorted(left))}"
    if others := cancelled - perhaps:
        yield f"{decision} cancels appointments that are not in the time off: {', '.join(map(str, others))}"


def _same(said: Any, true: Any) -> bool:
    if isinstance(true, datetime):
        return isinstance(said, str) and instant(said) == true
    if isinstance(true, dict) and isinstance(said, dict):
        return said.keys() == true.keys() and all(_same(said[name], true[name]) for name in true)
    return bool(said == true)


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
