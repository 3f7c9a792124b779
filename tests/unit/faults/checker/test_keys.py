"""I3: the same key and body give the same command and outcome, for ever; another body is refused."""

from typing import Any

import pytest

from tests.unit.faults.checker.story import Story, at
from tests.unit.faults.checker.topics import BEN, PAT, SAM, Ask, Deed, append

REUSED = "idempotency_key_reused"


def booked() -> tuple[Story, Deed]:
    """A confirmed booking."""
    story = Story()
    return story, story.book(PAT, "09:00")


def other_body(story: Story, deed: Deed, status: int, answer: Any) -> None:
    """The key is used again with another time."""
    story.wait(seconds=1)
    body = (deed.call.body or {}) | {"starts_at": at("10:00")}
    ask = Ask(PAT, "POST", "/v1/appointments", body)
    story.say(ask, status, answer, deed.call.key, idempotency_replayed="true")


def test_a_repeat_with_the_same_answer_is_fine() -> None:
    story, deed = booked()
    story.again(deed)
    story.finds()


def test_the_same_key_answered_with_two_command_ids_is_found() -> None:
    story, deed = booked()
    story.again(deed, command_id=story.new_id())
    story.finds("I3: key .* names the commands ")


@pytest.mark.parametrize("name", ["type", "appointment_id", "doctor_id", "time_off_id"])
def test_a_repeat_with_another_id_is_found(name: str) -> None:
    story, deed = booked()
    story.again(deed, **{name: "another"})
    story.finds(f"I3: call .* was told {name} another, ")


def test_a_repeat_not_marked_as_one_is_found() -> None:
    story, deed = booked()
    story.again(deed).headers.clear()
    story.finds("I3: call .* repeats a decided command, and was not told so")


def test_simultaneous_requests_need_not_be_marked_as_repeats() -> None:
    story, deed = booked()
    again = story.again(deed)
    again.started = deed.call.started
    again.headers.clear()
    story.finds()


def test_a_key_used_for_another_body_and_refused_is_fine() -> None:
    story, deed = booked()
    other_body(story, deed, 422, {"code": REUSED})
    story.finds()


def test_a_key_used_for_another_body_and_refused_by_its_status_is_fine() -> None:
    story, deed = booked()
    refused = deed.outcome | {"state": "refused", "refusal": {"reason": REUSED, "detail": "why"}}
    other_body(story, deed, 200, refused)
    story.history.calls[-1].started = deed.call.started
    story.finds()


def test_a_key_used_for_another_body_and_answered_with_the_outcome_is_found() -> None:
    story, deed = booked()
    other_body(story, deed, 200, deed.outcome)
    wrong_outcome = "I3: call .* was told confirmed; its key was used for another body: .* is confirmed"
    story.finds(wrong_outcome, "I3: call .* repeats the key of a decided command, and was not refused")


def test_a_key_used_for_another_body_and_accepted_after_the_decision_is_found() -> None:
    story, deed = booked()
    other_body(story, deed, 200, deed.outcome | {"state": "refused", "refusal": {"reason": REUSED}})
    story.finds("I3: call .* repeats the key of a decided command, and was not refused")


def test_the_first_body_refused_as_another_is_found() -> None:
    story, deed = booked()
    other_body(story, deed, 422, {"code": REUSED})
    again = story.again(deed)
    again.status, again.answer = 422, {"code": REUSED}
    story.finds(f"I3: call .* was refused {REUSED}, and is what was decided with its key")


@pytest.mark.parametrize(("own", "found"), [(True, []), (False, ["I3: command 0/3 has the fingerprint of "])])
def test_two_bodies_of_a_key_have_different_fingerprints(own: bool, found: list[str]) -> None:
    story, deed = booked()
    other_body(story, deed, 422, {"code": REUSED})
    other = append(story.commands, deed.command)
    other.data |= {"starts_at": at("10:00")} | ({"fingerprint": "another"} if own else {})
    story.finds(*found)


def test_a_client_told_that_its_key_was_used_has_seen_the_decision() -> None:
    story, deed = booked()
    deed.pending()
    other_body(story, deed, 422, {"code": REUSED})
    story.book(PAT, "09:00", doctor=BEN)
    story.finds("I2: patient ", "I5: .* is decided confirmed; it can only be patient_busy: ")


def test_the_same_key_of_another_patient_is_another_key() -> None:
    story, deed = booked()
    story.book(SAM, "10:00").call.key = deed.call.key
    story.finds()
