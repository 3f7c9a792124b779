"""The message authentication code (MAC) of events: it tells what a worker wrote from what anybody else did.

HMAC-SHA-256 (RFC 2104), shortened to 16 bytes, over all that a reader relies on: topic, partition, key, data
and every header, the sequence among them. Whoever may write to the topic and has no key cannot make one, nor
move a valid one elsewhere.
"""

import hmac
import struct
from pathlib import Path

from aiokafka import ConsumerRecord

from contracts.envelope import MAC_HEADER, Headers, Message
from contracts.topics import EVENTS_TOPIC
from infra.errors import MisconfiguredError
from infra.kafka.connection import topic_name
from infra.settings import Settings

KEY_BYTES = 32
MAC_BYTES = 16
# The length of a value that is absent, which no value has.
_ABSENT = 2**32 - 1


class EventMac:
    """MACs of the events of one topic."""

    def __init__(self, key: bytes, topic: str) -> None:
        """`key` is 32 random bytes, `topic` the name with the namespace."""
        self._key = key
        self.topic = topic
        self._topic = topic.encode()

    @classmethod
    def load(cls, settings: Settings) -> "EventMac":
        """Read the events' key: 64 hexadecimal digits.

        Raises:
            MisconfiguredError: the file is missing or holds something else.
        """
        return cls(_read(settings.events_key_file), topic_name(settings, EVENTS_TOPIC))

    def added(self, message: Message, partition: int) -> Message:
        """The message with its MAC, the same each time it is published."""
        mac = self._mac(partition, message.key, message.value, message.headers)
        return message._replace(headers=[*message.headers, (MAC_HEADER, mac)])

    def fits(self, record: ConsumerRecord) -> bool:
        """True if a worker wrote this record, on this partition."""
        macs = [value for name, value in record.headers if name == MAC_HEADER]
        if len(macs) != 1:
            return False
        headers = [header for header in record.headers if header[0] != MAC_HEADER]
        mac = self._mac(record.partition, record.key, record.value, headers)
        return hmac.compare_digest(mac, macs[0] or b"")

    def _mac(self, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
        parts = [self._topic, key, value]
        for name, content in headers:
            parts += (name.encode(), content)
        # The lengths first, so that no two messages have the same bytes.
        lengths = [_ABSENT if part is None else len(part) for part in parts]
        head = struct.pack(f">I{len(parts)}I", partition, *lengths)
        content = b"".join([head, *[part for part in parts if part]])
        return hmac.digest(self._key, content, "sha256")[:MAC_BYTES].hex().encode()


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise MisconfiguredError(
            f"{path} does not hold the events' key (64 hex digits). `clinic keys init` makes one; "
            "workers, auditors and notifiers need the same."
        )
    return key
