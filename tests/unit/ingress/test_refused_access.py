"""The number of refusals of access that are recorded individually."""

from ingress.audit.refused_access import (
    ALL_BURST,
    ALL_INTERVAL_S,
    SOURCE_BURST,
    SOURCE_INTERVAL_S,
    SOURCES_MAX,
    Allowance,
)


def taken(allowance: Allowance, source: str, count: int, now_s: float) -> list[int | None]:
    return [allowance.take(source, now_s) for _ in range(count)]


def test_a_source_has_a_burst_and_then_one_now_and_then() -> None:
    allowance = Allowance()

    assert taken(allowance, "a", SOURCE_BURST + 5, 100.0) == [0] * SOURCE_BURST + [None] * 5
    later = 100.0 + SOURCE_INTERVAL_S
    assert taken(allowance, "a", 2, later) == [5, None], "the number left out is recorded"
    assert taken(allowance, "a", 1, later + SOURCE_INTERVAL_S) == [1]
    assert taken(allowance, "a", SOURCE_BURST + 1, later + 1e6) == [0] * SOURCE_BURST + [None]


def test_sources_are_limited_separately_until_there_are_too_many() -> None:
    allowance = Allowance()

    assert taken(allowance, "a", SOURCE_BURST + 1, 100.0)[-1] is None
    assert taken(allowance, "b", 1, 100.0) == [0]
    many = [allowance.take(f"source {number}", 100.0) for number in range(ALL_BURST)]
    assert many.count(0) == ALL_BURST - SOURCE_BURST - 1
    assert many[-1] is None
    assert allowance.take("another", 100.0 + 1.5 * ALL_INTERVAL_S) == 0


def test_a_bounded_number_of_sources_is_remembered() -> None:
    allowance = Allowance()
    for number in range(SOURCES_MAX + 100):
        allowance.take(f"source {number}", 100.0)

    assert len(allowance._sources) == SOURCES_MAX
    assert f"source {SOURCES_MAX + 99}" in allowance._sources
    assert "source 99" not in allowance._sources
