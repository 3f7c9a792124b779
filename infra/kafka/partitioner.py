"""The partition of a command: Kafka's own murmur2 partitioner, over the contract's partition count.

The topic's actual count is ignored: with partitions that an operator adds, a doctor's commands would go to
another partition and overtake those in the first.
"""

from functools import lru_cache

from aiokafka.partitioner import murmur2

from contracts.topics import COMMANDS_TOPIC

# aiokafka's murmur2 is plain Python: 11 µs for each command. There are few doctors, so it is cached.
KEYS_MAX = 16_384


@lru_cache(KEYS_MAX)
def partition_of(key: bytes) -> int:
    """The number of the partition that commands with this key belong in."""
    return int((murmur2(key) & 0x7FFFFFFF) % COMMANDS_TOPIC.partitions)
