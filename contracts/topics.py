"""The topics: names, partitions, retention. The partition count is fixed for good."""

from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000
FOREVER = -1


@dataclass(frozen=True)
class Topic:
    """What a topic has to be. `retention_ms` is -1 for ever."""

    name: str
    partitions: int
    retention_ms: int
    timestamp_type: str = "CreateTime"


COMMANDS = Topic("booking.commands.v1", 12, FOREVER, "LogAppendTime")
EVENTS = Topic("booking.events.v1", 12, FOREVER)
DEAD_LETTERS = Topic("booking.dlq.v1", 12, 90 * DAY_MS)
SECURITY_EVENTS = Topic("security.events.v1", 3, 90 * DAY_MS)
LOGIN_CHALLENGES = Topic("auth.challenges.v1", 3, 15 * 60 * 1000)

TOPICS = (COMMANDS, EVENTS, DEAD_LETTERS, SECURITY_EVENTS, LOGIN_CHALLENGES)
