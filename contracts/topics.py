"""The topics: names, partitions, retention. Partition counts never change."""

from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000
FOREVER = -1


@dataclass(frozen=True)
class Topic:
    """Required settings of a topic. `retention_ms` -1 keeps everything."""

    name: str
    partitions: int
    retention_ms: int
    timestamp_type: str = "CreateTime"


COMMANDS_TOPIC = Topic("booking.commands.v1", 12, FOREVER, "LogAppendTime")
EVENTS_TOPIC = Topic("booking.events.v1", 12, FOREVER)
DEAD_LETTERS_TOPIC = Topic("booking.dlq.v1", 12, 90 * DAY_MS)
SECURITY_EVENTS_TOPIC = Topic("security.events.v1", 3, 90 * DAY_MS)
LOGIN_CHALLENGES_TOPIC = Topic("auth.challenges.v1", 3, 15 * 60 * 1000)

TOPICS = (
    COMMANDS_TOPIC,
    EVENTS_TOPIC,
    DEAD_LETTERS_TOPIC,
    SECURITY_EVENTS_TOPIC,
    LOGIN_CHALLENGES_TOPIC,
)
