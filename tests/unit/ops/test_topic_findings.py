"""Findings of `clinic topics` about a cluster of several brokers, and about one broker."""

import pytest

from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC
from infra.settings import Settings
from ops.topics import findings_of

PARTITIONS = COMMANDS_TOPIC.partitions
SAFE = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": "2",
    "max.message.bytes": "1048576",
    "unclean.leader.election.enable": "false",
}


def test_three_replicas_with_two_in_sync_and_no_unclean_election_are_as_they_should_be() -> None:
    assert findings_of(COMMANDS_TOPIC, [3] * PARTITIONS, SAFE, 3) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"min.insync.replicas": "1"}, "has min.insync.replicas=1 and should have 2 or more"),
        (
            {"unclean.leader.election.enable": "true"},
            "has unclean.leader.election.enable=true and should have false",
        ),
        ({"max.message.bytes": "1000"}, "has max.message.bytes=1000 and should have 1048576 or more"),
    ],
)
def test_a_setting_that_may_lose_what_was_acknowledged_is_reported(
    change: dict[str, str], finding: str
) -> None:
    assert findings_of(COMMANDS_TOPIC, [3] * PARTITIONS, SAFE | change, 3) == [finding]


def test_one_partition_with_fewer_replicas_is_reported() -> None:
    replicas = [3] * (PARTITIONS - 1) + [1]
    assert findings_of(COMMANDS_TOPIC, replicas, SAFE, 3) == [
        "has 1 replicas of a partition and should have 3"
    ]


def test_a_dead_letter_needs_room_for_its_headers() -> None:
    [finding] = findings_of(
        DEAD_LETTERS_TOPIC, [3] * PARTITIONS, SAFE | {"message.timestamp.type": "CreateTime"}, 3
    )
    assert "max.message.bytes" in finding


def test_one_broker_is_allowed_only_where_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLINIC_KAFKA_REPLICATION_FACTOR", raising=False)
    alone = SAFE | {"min.insync.replicas": "1"}
    assert findings_of(COMMANDS_TOPIC, [1] * PARTITIONS, alone, Settings().kafka_replication_factor) != []
    explicit = Settings(kafka_replication_factor=1)
    assert findings_of(COMMANDS_TOPIC, [1] * PARTITIONS, alone, explicit.kafka_replication_factor) == []
