"""The scan along the chains of the audit trail, and the cursor that continues it."""

import pytest

from contracts.audit import Chain
from infra import clock
from ingress.audit.scan import CHAIN_PARTITIONS, STRETCH_MAX, Filters, Stretch, Walk
from ingress.http.parameters import cursor_after
from ingress.http.problems import Problem

ZEROS = ".".join(["0"] * len(CHAIN_PARTITIONS))


def looked(wanted: Filters | None = None, **ends: int) -> Walk:
    """A new scan along chains with these ends: `booking_3=17`."""
    walk = Walk.begin(wanted or Filters())
    walk.ends = [ends.get(f"{chain}_{partition}", 0) for chain, partition in CHAIN_PARTITIONS]
    return walk


def walked(walk: Walk) -> list[Stretch]:
    found = []
    while stretch := walk.stretch():
        found.append(stretch)
        walk.advance(stretch.last)
    return found


def test_it_scans_chain_after_chain_and_skips_empty_ones() -> None:
    assert walked(looked(booking_3=17, booking_11=1, security_2=5)) == [
        Stretch(Chain.BOOKING, 3, 0, 17),
        Stretch(Chain.BOOKING, 11, 0, 1),
        Stretch(Chain.SECURITY, 2, 0, 5),
    ]
    assert walked(looked()) == []


def test_it_reads_a_bounded_number_at_a_time() -> None:
    end = 2 * STRETCH_MAX + 1
    stretches = walked(looked(booking_0=end))
    assert [(stretch.after, stretch.last) for stretch in stretches] == [
        (0, STRETCH_MAX),
        (STRETCH_MAX, 2 * STRETCH_MAX),
        (2 * STRETCH_MAX, end),
    ]


def test_it_can_be_limited_to_one_chain() -> None:
    walk = looked(Filters(chain=Chain.SECURITY), booking_3=17, security_0=5)
    assert walked(walk) == [Stretch(Chain.SECURITY, 0, 0, 5)]


def test_a_cursor_continues_with_the_same_end_and_filters() -> None:
    wanted = Filters(actor_id=clock.new_id(), since=clock.now(), action="PatientRead")
    walk = looked(wanted, booking_3=17, security_0=5)
    walk.advance(9)

    again = Walk.parse(walk.cursor())

    assert again == walk
    assert walked(again) == [Stretch(Chain.BOOKING, 3, 9, 17), Stretch(Chain.SECURITY, 0, 0, 5)]


def test_at_the_end_the_cursor_starts_a_new_scan_after_it() -> None:
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
def test_an_invalid_cursor_is_rejected(parts: list[str]) -> None:
    with pytest.raises(Problem) as caught:
        Walk.parse(cursor_after(parts))
    assert caught.value.errors[0]["pointer"] == "/cursor"
