"""The verdict: which service levels a run keeps, and why one that is missed was."""

import pytest

from ops.load.bottleneck import disturbed, resources, why
from ops.load.job import Sample
from ops.load.mix import Action
from ops.load.sla import Line, figures, judged, lines, percentile, unusual
from ops.load.watch import Reading, parsed


def samples(action: Action, *latencies_ms: float) -> list[Sample]:
    return [Sample(1, action, latency_ms, "ok", ok=True) for latency_ms in latencies_ms]


def by_name(found: list[Line]) -> dict[str, Line]:
    return {line.name: line for line in found}


def test_all_is_met_at_the_limits() -> None:
    found = lines([*samples(Action.FREE_SLOTS, 200), *samples(Action.BOOK, 500)])
    assert [line.met for line in found] == [True, True, True]


@pytest.mark.parametrize(
    ("missed", "extra"),
    [
        ("read p95", Sample(1, Action.DOCTORS, 200.1, "ok", ok=True)),
        ("confirmed write p95", Sample(1, Action.CANCEL, 500.1, "confirmed", ok=True)),
        ("errors", Sample(1, Action.DOCTORS, 1, "503 busy", ok=False)),
    ],
)
def test_a_line_is_missed_by_its_own_samples(missed: str, extra: Sample) -> None:
    found = lines([*samples(Action.FREE_SLOTS, 10), *samples(Action.BOOK, 10), extra])
    assert {line.name for line in found if not line.met} == {missed}


def test_a_slow_twentieth_is_allowed() -> None:
    found = lines([*samples(Action.FREE_SLOTS, *[10] * 95, *[900] * 5), *samples(Action.BOOK, 10)])
    assert by_name(found)["read p95"].value == 10
    found = lines([*samples(Action.FREE_SLOTS, *[10] * 94, *[900] * 6), *samples(Action.BOOK, 10)])
    assert by_name(found)["read p95"].value == 900


def test_what_was_not_measured_is_not_met() -> None:
    assert [line.met for line in lines([])] == [False, False, False]
    assert str(lines([])[0]) == "read p95: not measured, limit 200 ms"


def test_a_refusal_is_an_answer_and_is_shown() -> None:
    refused = Sample(1, Action.BOOK, 10, "refused: slot_taken", ok=True)
    error = Sample(1, Action.BOOK, 10, "503 busy", ok=False)
    found = [*samples(Action.FREE_SLOTS, 10), refused, refused, error]
    assert by_name(lines(found))["errors"].value == 1
    assert unusual(found) == [("book: refused: slot_taken", 2), ("book: 503 busy", 1)]
    [_, book] = figures(found)
    assert (book.count, book.refused, book.errors) == (3, 2, 1)


def test_the_warm_up_does_not_count() -> None:
    early = Sample(-0.001, Action.BOOK, 10_000, "no answer", ok=False)
    assert judged([early, *samples(Action.BOOK, 10)]) == samples(Action.BOOK, 10)


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentile([], 95) is None
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([3, 1, 2], 100) == 3
    assert percentile(range(1, 101), 95) == 95


BUSY = {"ingress": 97.0, "worker": 30.0, "postgres": 40.0, "generator": 20.0, "others": 5.0}


def test_the_fullest_process_is_named_first() -> None:
    readings = [Reading(2, BUSY, {"connection": 30.0, "decision": 5.0}, backlog_s=0.1, undecided=3)]
    found = resources(readings, dict.fromkeys(BUSY, 1), cores=8)
    assert [resource.name for resource in found if resource.is_full] == ["connections to Postgres", "ingress"]
    assert why(found) == (
        "At the limit: connections to Postgres: each request waited 30.0 ms on average; "
        "ingress used 97 % of a core."
    )


def test_several_processes_have_as_many_cores() -> None:
    [found] = [each for each in resources([Reading(2, BUSY)], {"ingress": 2}, 8) if each.name == "ingress"]
    assert not found.is_full
    assert found.text == "ingress used 97 % of a core in 2 processes"


def test_a_machine_without_a_free_core_is_named_with_who_used_it() -> None:
    cpu = {"ingress": 70.0, "postgres": 60.0, "worker": 40.0, "generator": 25.0, "others": 5.0}
    found = resources([Reading(2, cpu)], dict.fromkeys(cpu, 1), cores=2)
    assert found[0].text == (
        "the machine's 2 cores were 100 % busy (ingress 70 %, postgres 60 %, worker 40 %, "
        "generator 25 % of a core)"
    )


def test_a_generator_at_its_limit_says_nothing_about_the_clinic() -> None:
    found = resources([Reading(2, BUSY | {"generator": 95.0})], dict.fromkeys(BUSY, 1), cores=8)
    assert why(found).startswith("The load generator was at its limit")


def test_a_machine_with_other_work_is_said() -> None:
    assert disturbed([Reading(2, {"ingress": 90.0, "others": 49.0})], cores=2) is None
    assert disturbed([Reading(2, {"ingress": 20.0, "others": 135.0})], cores=2) == (
        "Other programs used 135 % of a core of this machine's 2: measure again when it does nothing else."
    )
    assert disturbed([], cores=2) is None


def test_nothing_at_its_limit_is_said() -> None:
    found = resources([Reading(2, {"ingress": 20.0, "others": 1.0})], {"ingress": 1}, cores=2)
    assert why(found) == (
        "Nothing that is measured was at its limit; the closest: ingress used 20 % of a core."
    )
    assert why([]) == "Nothing could be measured: no metrics endpoint answered."


def test_metrics_are_summed_up_over_their_labels() -> None:
    text = """# TYPE clinic_commands_accepted_total counter
clinic_commands_accepted_total{type="BookAppointment"} 3.0
clinic_commands_accepted_total{type="CancelAppointment"} 2.0
# TYPE clinic_transaction_seconds histogram
clinic_transaction_seconds_bucket{le="1.0"} 4.0
clinic_transaction_seconds_count 4.0
clinic_transaction_seconds_sum 0.5
"""
    assert parsed(text) == {
        "clinic_commands_accepted_total": 5.0,
        "clinic_transaction_seconds_count": 4.0,
        "clinic_transaction_seconds_sum": 0.5,
    }
