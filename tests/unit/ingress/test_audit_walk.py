"""The walk along the chains of the audit trail, and the cursor that goes on with it."""

import pytest

from contracts.audit import Chain
from infra import clock
from ingress.audit_walk import PLACES, STRETCH_MAX, Stretch, Walk, Wanted
from ingress.paging import cursor_after
from ingress.problems import Problem

ZEROS = ".".join(["0"] * len(PLACES))


def looked(wanted: Wanted | None = None, **ends: int) -> Walk:
    """A new walk along chains that end here: `booking_3=17`."""
    walk = Walk.begin(wanted or Wanted())
    walk.ends = [ends.get(f"{chain}_{partition}", 0) for chain, partition in PLACES]
    return walk


def walked(walk: Walk) -> list[Stretch]:
    found = []
    while stretch := walk.stretch():
        found.append(stretch)
        walk.advance(stretch.last)
    return found


def test_it_goes_chain_after_chain_and_leaves_out_the_empty_ones() -> None:
    assert walked(looked(booking_3=17, booking_11=1, security_2=5)) == [
        Stretch(Chain.BOOKING, 3, 0, 17),
        Stretch(Chain.BOOKING, 11, 0, 1),
        Stretch(Chain.SECURITY, 2, 0, 5),
    ]
    assert walked(looked()) == []


def test_it_looks_at_a_bounded_number_at_a_time() -> None:
    end = 2 * STRETCH_MAX + 1
    stretches = walked(looked(booking_0=end))
    assert [(one.after, one.last) for one in stretches] == [
        *((0, STRETCH_MAX), (STRETCH_MAX, 2 * STRETCH_MAX), (2 * STRETCH_MAX, end)),
    ]


def test_it_may_be_of_one_chain() -> None:
    walk = looked(Wanted(chain=Chain.SECURITY), booking_3=17, security_0=5)
    assert walked(walk) == [Stretch(Chain.SECURITY, 0, 0, 5)]


def test_a_cursor_goes_on_in_the_middle_with_the_same_end_and_filters() -> None:
    wanted = Wanted(actor_id=clock.new_id(), since=clock.now(), action="PatientRead")
    walk = looked(wanted, booking_3=17, security_0=5)
    walk.advance(9)

    again = Walk.parse(walk.cursor())

    assert again == walk
    assert walked(again) == [Stretch(Chain.BOOKING, 3, 9, 17), Stretch(Chain.SECURITY, 0, 0, 5)]


def test_at_the_end_the_cursor_begins_a_new_walk_behind_it() -> None:
    walk = looked(booking_3=17)
    walked(walk)

    again = Walk.parse(walk.cursor())

    assert (again.seen, again.ends) == (walk.seen, None)


@pytest.mark.parametrize(
    "parts",
    [
        ["{}", ZEROS],
        ["{}", "", ""],
        ["{}", "0.0", ""],
        ["{}", ZEROS, "0"],
        ["{}", ZEROS.replace("0", "-1", 1), ""],
        ["{}", ZEROS.replace("0", "1e3", 1), ""],
        ["{}", ZEROS.replace("0", "٣", 1), ""],
        ["{}", ZEROS.replace("0", "9" * 19, 1), ""],
        ["", ZEROS, ""],
        ["[]", ZEROS, ""],
        ['{"patient_name": "x"}', ZEROS, ""],
        ['{"chain": "other"}', ZEROS, ""],
        ['{"actor_id": "me"}', ZEROS, ""],
        ['{"since": 17}', ZEROS, ""],
        ['{"action": "a b"}', ZEROS, ""],
        ['{"action": ""}', ZEROS, ""],
        ['{"action": "A\n"}', ZEROS, ""],
        [f'{{"action": "{"x" * 65}"}}', ZEROS, ""],
    ],
)
def test_what_no_walk_gave_out_is_no_cursor(parts: list[str]) -> None:
    with pytest.raises(Problem) as caught:
        Walk.parse(cursor_after(parts))
    assert caught.value.errors[0]["pointer"] == "/cursor"
