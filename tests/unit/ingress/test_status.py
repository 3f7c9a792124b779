"""The status of a command whose key was used for another request is the same by every route."""

from contracts.decision import Decision, State
from contracts.receipt import Receipt
from contracts.refusals import Reason
from ingress.commands.state import command_resource
from tests.unit.contracts.examples import COMMAND_ID, FINGERPRINT, NOW, book

OTHER = "cd" * 16
RECEIPT = Receipt.of(book, 3, 42, NOW, earlier_fingerprint="ab" * 16)


def failed(fingerprint: str | None) -> Decision:
    return Decision(COMMAND_ID, fingerprint, State.FAILED, None, 3, 41, NOW)


def test_a_failed_command_with_another_body_is_refused() -> None:
    resource = command_resource("token", RECEIPT, failed(OTHER), None)

    assert resource.state is State.REFUSED
    assert resource.refusal is not None
    assert resource.refusal.reason is Reason.IDEMPOTENCY_KEY_REUSED


def test_the_same_request_is_recognised_by_either_fingerprint_and_by_none() -> None:
    for fingerprint in (FINGERPRINT, "ab" * 16, None):
        assert command_resource("token", RECEIPT, failed(fingerprint), None).state is State.FAILED
