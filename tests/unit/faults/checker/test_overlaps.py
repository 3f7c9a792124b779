"""I2: no two booked appointments of a doctor overlap, buffers included, nor of a patient, at any time."""

import pytest

from tests.faults.workload.history import STAFF
from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import ADA, BEN, PAT, SAM

# A doctor's commands are in one partition, where the rules apply too: the second must have been refused.
TAKEN = "I5: .* is decided confirmed; it can only be slot_taken"


def test_appointments_that_touch_are_fine() -> None:
    story = Story()
    story.book(PAT, "09:00")
    story.book(SAM, "09:30")
    story.book(PAT, "09:30", doctor=BEN)
    story.finds()


def test_two_overlapping_appointments_of_a_doctor_are_found() -> None:
    story = Story()
    story.book(PAT, "09:00")
    story.book(SAM, "09:15")
    story.finds(f"I2: doctor {ADA}: .* and at once ", TAKEN)


def test_buffers_that_touch_are_fine() -> None:
    story = Story()
    story.book(PAT, "09:15", kind="surgery")
    story.book(SAM, "10:00")
    story.book(PAT, "10:45", kind="surgery")
    story.finds()


@pytest.mark.parametrize(("kind", "clock"), [("checkup", "09:45"), ("surgery", "10:00")])
def test_a_buffer_that_overlaps_another_visit_or_buffer_is_found(kind: str, clock: str) -> None:
    story = Story()
    story.book(PAT, "09:15", kind="surgery")
    story.book(SAM, clock, kind=kind)
    story.finds(f"I2: doctor {ADA}: ", TAKEN)


def test_buffers_do_not_block_the_patients_visit_with_another_doctor() -> None:
    story = Story()
    story.book(PAT, "09:15", kind="surgery")
    story.book(PAT, "09:45", doctor=BEN, kind="surgery")
    story.finds()


def test_a_cancelled_slot_that_is_booked_again_is_fine() -> None:
    story = Story()
    story.cancel(story.book(PAT, "09:00"))
    story.book(SAM, "09:00")
    story.finds()


def test_an_overlap_that_a_later_cancellation_ended_is_found() -> None:
    story = Story()
    first = story.book(PAT, "09:00")
    story.book(SAM, "09:00")
    story.cancel(first)
    story.finds(f"I2: doctor {ADA}: ", TAKEN)


def test_the_old_slot_of_a_moved_visit_is_free() -> None:
    story = Story()
    story.move(story.book(PAT, "09:00"), "10:00")
    story.book(SAM, "09:00")
    story.finds()


def test_an_appointment_moved_onto_another_is_found() -> None:
    story = Story()
    moved = story.book(PAT, "09:00")
    story.book(SAM, "10:00")
    story.move(moved, "10:00")
    story.finds(f"I2: doctor {ADA}: ", TAKEN)


def test_an_appointment_may_move_into_its_own_time() -> None:
    story = Story()
    story.move(story.book(PAT, "09:00"), "09:15")
    story.finds()


def test_a_patient_with_two_doctors_in_turn_is_fine() -> None:
    story = Story()
    story.cancel(story.book(PAT, "09:00"))
    story.book(PAT, "09:00", doctor=BEN)
    story.finds()


def test_two_overlapping_appointments_of_a_patient_are_found() -> None:
    story = Story()
    story.book(PAT, "09:00")
    story.book(PAT, "09:15", doctor=BEN)
    story.finds(f"I2: patient {PAT}: ", "I5: .* it can only be patient_busy")


def test_overlapping_appointments_decided_at_once_by_two_partitions_are_found() -> None:
    story = Story()
    first, second = story.book(PAT, "09:00"), story.book(PAT, "09:00", doctor=BEN)
    second.call.started = first.call.started
    story.finds(f"I2: patient {PAT}: ")


def test_a_patient_double_booked_until_a_later_cancellation_is_found() -> None:
    story = Story()
    first = story.book(PAT, "09:00")
    second = story.book(PAT, "09:00", doctor=BEN)
    second.call.started = first.call.started
    story.cancel(first)
    story.finds(f"I2: patient {PAT}: ")


def test_a_patient_who_may_have_been_free_again_in_time_is_not_found() -> None:
    story = Story()
    first = story.book(PAT, "09:00")
    gone, second = story.cancel(first), story.book(PAT, "09:00", doctor=BEN)
    second.call.started = gone.call.started
    story.finds()


def test_a_visit_that_took_place_blocks_nothing() -> None:
    story = Story()
    visited = story.book(PAT, "09:00", by=STAFF)
    story.wait(days=7, hours=1, minutes=1)
    story.complete(visited)
    story.book(SAM, "09:15", by=STAFF)
    story.finds()


def test_an_overlap_over_midnight_is_found_once() -> None:
    story = Story()
    story.update(ADA, time_zone="Australia/Brisbane")
    story.book(PAT, "23:30", kind="surgery")
    story.book(SAM, "23:45", kind="surgery")
    story.finds(f"I2: doctor {ADA}: ", TAKEN)
