"""The command resource, from the command's receipt, its decision and its partition's position. Pure."""

from contracts.command_resource import CommandResource, Links, RefusalBody
from contracts.commands import BookAppointment
from contracts.decision import Decision, State
from contracts.receipt import Receipt
from contracts.refusals import Reason, Refusal


def command_resource(
    path_segment: str,
    receipt: Receipt,
    decision: Decision | None,
    queue_ahead: int | None,
) -> CommandResource:
    """The answer to the client.

    `path_segment` is the signed receipt. A decision that was made for another body under the same key is a
    refusal of this one.
    """
    state, refusal = _state(receipt, decision)
    appointment = receipt.appointment_id
    books = receipt.command_type == BookAppointment.__name__
    exists = appointment is not None and not (books and state in (State.REFUSED, State.FAILED))
    return CommandResource(
        command_id=receipt.command_id,
        receipt=path_segment,
        type=receipt.command_type,
        state=state,
        submitted_at=receipt.submitted_at,
        decided_at=decision.decided_at if decision else None,
        queue_ahead=queue_ahead if state is State.PENDING else None,
        appointment_id=appointment,
        doctor_id=receipt.doctor_id,
        time_off_id=receipt.time_off_id,
        refusal=RefusalBody.of(refusal),
        links=Links(
            self=f"/v1/commands/{path_segment}",
            appointment=f"/v1/appointments/{appointment}" if exists else None,
        ),
    )


def _state(receipt: Receipt, decision: Decision | None) -> tuple[State | str, Refusal | None]:
    if decision is None:
        return State.PENDING, None
    if not receipt.is_same_request(decision.fingerprint):
        return State.REFUSED, Refusal(Reason.IDEMPOTENCY_KEY_REUSED)
    return decision.state, decision.refusal
