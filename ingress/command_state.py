"""The state of a command from its receipt, its decision and its partition's progress. Pure."""

from contracts.command_resource import CommandResource, Links, RefusalBody, State
from contracts.commands import BookAppointment
from contracts.decision import Decision
from contracts.receipt import Receipt
from contracts.refusals import Reason, Refusal


def command_resource(
    path_segment: str,
    receipt: Receipt,
    decision: Decision | None,
    queue_ahead: int | None,
    dead_lettered: bool = False,
) -> CommandResource:
    """What the client sees.

    `path_segment` is the signed receipt. A decision made for another body under the same key is a refusal of
    this one: the receipt's fingerprint tells.
    """
    state, refusal = _state(receipt, decision, dead_lettered)
    appointment = receipt.appointment_id
    # What would have been made was not, so that there is nothing to link to.
    made = receipt.command_type == BookAppointment.__name__
    there = appointment is not None and not (made and state in (State.REFUSED, State.FAILED))
    return CommandResource(
        command_id=receipt.command_id,
        type=receipt.command_type,
        state=state,
        submitted_at=receipt.submitted_at,
        decided_at=decision.decided_at if decision else receipt.submitted_at if dead_lettered else None,
        queue_ahead=queue_ahead if state is State.PENDING else None,
        appointment_id=appointment,
        doctor_id=receipt.doctor_id,
        time_off_id=receipt.time_off_id,
        refusal=RefusalBody(reason=refusal.reason, detail=refusal.detail) if refusal else None,
        links=Links(
            self=f"/v1/commands/{path_segment}",
            appointment=f"/v1/appointments/{appointment}" if there else None,
        ),
    )


def _state(receipt: Receipt, decision: Decision | None, dead_lettered: bool) -> tuple[State, Refusal | None]:
    if decision is None:
        return State.FAILED if dead_lettered else State.PENDING, None
    if decision.fingerprint not in (None, receipt.fingerprint):
        return State.REFUSED, Refusal(Reason.IDEMPOTENCY_KEY_REUSED)
    return decision.state, decision.refusal
