"""The estimated wait of a command, from measurements every half second."""

from ingress.commands.backpressure import OBSERVATIONS_MIN, _Partition

LOOK_S = 0.5


def looked(partition: _Partition, offsets: list[int], now: float) -> float:
    """Measure every half second; the time after the last measurement."""
    for next_offset in offsets:
        partition.look(next_offset, now)
        now += LOOK_S
    return now - LOOK_S


def test_without_a_backlog_nothing_is_late() -> None:
    partition = _Partition()
    now = looked(partition, [0, 0, 10, 10], 100.0)
    assert partition.seconds(now + 1_000) == 0


def test_a_backlog_takes_as_long_as_at_the_present_speed() -> None:
    partition = _Partition()
    partition.look(0, 100.0)
    partition.appended(999, 100.1)
    now = looked(partition, [50 * number for number in range(OBSERVATIONS_MIN + 2)], 100.5)
    # 100 a second, and 750 are left.
    assert partition.seconds(now) == 7.5


def test_a_stopped_partition_has_waited_since_it_stopped() -> None:
    partition = _Partition()
    partition.look(5, 100.0)
    partition.appended(5, 101.0)
    now = looked(partition, [5] * 20, 101.5)
    assert partition.seconds(now) == now - 101.0
    # One more is decided: the partition moves again, and the next command is not late.
    partition.look(6, now + LOOK_S)
    assert partition.seconds(now + LOOK_S) == 0


def test_a_burst_after_a_quiet_time_is_not_late_at_once() -> None:
    partition = _Partition()
    now = looked(partition, list(range(10)), 100.0)  # one command each half second, decided at once
    partition.appended(5_000, now)
    assert partition.seconds(now + 0.1) < LOOK_S


def test_commands_of_other_ingresses_count_once_they_are_decided() -> None:
    partition = _Partition()
    partition.look(0, 100.0)
    partition.appended(0, 100.1)
    now = looked(partition, [500], 100.5)
    assert partition.seconds(now) == 0
