"""I6: a list has everything that was requested, once and in order, on all pages."""

import pytest

from tests.faults.workload.history import STAFF
from tests.unit.faults.checker.reads.looks import of, page, two_visits
from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import ADA, BEN, PAT, SAM


def test_a_list_that_lacks_an_appointment_is_found() -> None:
    story, first, _ = two_visits()
    page(story, of(story, first))
    story.finds("I6: call .* lacks appointment .*: booked, version 1, ")


@pytest.mark.parametrize("query", [f"?patient_id={PAT}", f"?doctor_id={ADA}", "?status=booked"])
def test_a_filtered_list_that_lacks_an_appointment_is_found(query: str) -> None:
    story = Story()
    story.book(PAT, "09:00")
    page(story, query=query)
    story.finds("I6: call .* lacks appointment .*: booked, version 1, ")


def test_a_list_in_another_order_is_found() -> None:
    story, first, second = two_visits()
    page(story, of(story, second), of(story, first))
    story.finds("I6: call .* is not in order")


def test_a_list_with_wrong_values_of_an_appointment_is_found() -> None:
    story, first, second = two_visits()
    page(story, of(story, first), of(story, second) | {"status": "completed"})
    story.finds("I6: call .* shows .* it can only be booked, version 1, ")


def test_consecutive_pages_are_fine() -> None:
    story, first, second = two_visits()
    page(story, of(story, first), cursor="next")
    page(story, of(story, second), query="?cursor=next")
    story.finds()


def test_an_appointment_lost_between_two_pages_is_found() -> None:
    story, first, second = two_visits()
    last = story.book(PAT, "11:00")
    page(story, of(story, first), cursor="next")
    page(story, of(story, last), query="?cursor=next")
    story.finds(f"I6: call .* lacks appointment {second.outcome['appointment_id']}: ")


@pytest.mark.parametrize(
    ("query", "actor", "unasked"),
    [
        ("", PAT, 1),
        (f"?patient_id={PAT}", STAFF, 1),
        (f"?doctor_id={BEN}", STAFF, 2),
        ("?status=cancelled", STAFF, 2),
    ],
)
def test_a_list_that_ignores_its_filter_is_found(query: str, actor: str, unasked: int) -> None:
    story, first, second = two_visits()
    page(story, of(story, first), of(story, second), query=query, actor=actor)
    story.finds(*("I6: call .* shows .*, which was not asked for",) * unasked)


def test_a_list_with_an_appointment_twice_is_found() -> None:
    story, first, second = two_visits()
    page(story, of(story, first), of(story, first), of(story, second))
    story.finds(f"I6: call .* shows appointment {first.outcome['appointment_id']} 2 times")


def test_an_appointment_repeated_on_the_next_page_is_found() -> None:
    story, first, second = two_visits()
    page(story, of(story, first), cursor="next")
    page(story, of(story, first), of(story, second), query="?cursor=next")
    story.finds(f"I6: call .* shows appointment {first.outcome['appointment_id']}, which belongs to a page")


def test_an_appointment_that_is_moved_between_two_pages_may_be_on_both() -> None:
    story, first, second = two_visits()
    page(story, of(story, first), cursor="next")
    story.move(first, "11:00")
    page(story, of(story, second), of(story, first), query="?cursor=next")
    story.finds()


def test_an_appointment_that_is_moved_between_two_pages_may_be_on_neither() -> None:
    story = Story()
    first, second = story.book(PAT, "10:00"), story.book(SAM, "11:00")
    page(story, of(story, first), cursor="next")
    story.move(second, "09:00")
    page(story, query="?cursor=next")
    story.finds()


def test_an_empty_page_with_a_next_one_that_lacks_an_appointment_is_found() -> None:
    story = Story()
    story.book(PAT, "09:00")
    page(story, cursor="next")
    story.finds("I6: call .* lacks appointment .*: booked, version 1, ")


def test_a_missing_list_is_found() -> None:
    story, _, _ = two_visits()
    gone = page(story)
    gone.status, gone.answer = 404, {"code": "not_found"}
    story.finds("API: call .* was answered 404")
