"""Critical lines are found in a log that grows, is truncated, and has lines that are not JSON."""

import json
from pathlib import Path

from tests.faults.monitors.logbook import Log, tracebacks


def line(level: str, **said: object) -> str:
    return json.dumps({"level": level, "event": "partition stopped", **said}) + "\n"


def test_only_complete_critical_lines_are_read_each_once(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    log = Log("worker", path)
    assert log.poll() == []
    path.write_text('Traceback "critical"\n' + line("info", error="critical") + line("critical", partition=3))
    assert [found.content["partition"] for found in log.poll()] == [3]
    assert log.poll() == []
    with path.open("a") as file:
        file.write(line("critical", partition=4)[:-5])
    assert log.poll() == []
    assert len(log.critical) == 1


def test_a_truncated_log_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    log = Log("worker", path)
    path.write_text(line("info") * 10)
    log.poll()
    path.write_text(line("critical", partition=1))
    assert len(log.poll()) == 1


def test_a_line_is_about_the_partition_and_the_topic_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "auditor.log"
    path.write_text(line("critical", partition=1, topic="a") + line("critical", partition=1))
    with_topic, without = Log("auditor", path).poll()
    assert with_topic.is_about("a", 1)
    assert not with_topic.is_about("b", 1)
    assert not with_topic.is_about("a", 2)
    assert without.is_about("b", 1)


def test_the_first_traceback_of_each_kind_is_found(tmp_path: Path) -> None:
    broken = line("error", exception="Traceback of one request\nKeyError: 1")
    again = line("error", exception="Traceback of another\nKeyError: 1")
    other = line("error", exception="Traceback\nValueError")
    (tmp_path / "ingress.log").write_text(line("info") + broken + again + other[:-9])
    (tmp_path / "worker.log").write_text(again + other)

    assert list(tracebacks(tmp_path).values()) == [
        "ingress: Traceback of one request\nKeyError: 1",
        "worker: Traceback\nValueError",
    ]
