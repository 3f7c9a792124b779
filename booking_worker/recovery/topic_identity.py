"""A check that the commands' topic is still the one that this process began with.

Consumers go by a topic's name. Under that name another may be made, whose records would be taken for the ones
that come next; only its id (KIP-516) tells.
"""

import asyncio
from uuid import UUID

import structlog
from aiokafka.client import AIOKafkaClient

from infra.errors import ClinicError, MisconfiguredError
from infra.kafka.topic_id import ask_topic_ids

CHECK_INTERVAL_S = 5.0

_log = structlog.get_logger(__name__)


class AnotherTopicError(MisconfiguredError):
    """The topic was deleted and made again."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: this topic is not the one that was decided so far (it has another id); "
            "its commands would be decided in the name of others."
        )


class SameTopic:
    """Compares the topic's id with that of the start."""

    def __init__(self, client: AIOKafkaClient, topic: str, topic_id: UUID) -> None:
        self._client = client
        self._topic = topic
        self._topic_id = topic_id
        self._asking: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Ask now; callers at the same time share the answer.

        Raises:
            AnotherTopicError: it is another one.
            MisconfiguredError: there is none.
            TransientError: no broker answers.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)

    async def keep_checking(self) -> None:
        """Ask from time to time, until cancelled.

        Raises:
            AnotherTopicError: it is another one. A new process compares with what the database remembers.
        """
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            try:
                await self.check()
            except AnotherTopicError:
                raise
            except ClinicError as error:
                _log.warning("the topic's id is unknown", topic=self._topic, error=str(error))

    async def _ask(self) -> None:
        if (await ask_topic_ids(self._client, [self._topic]))[self._topic] != self._topic_id:
            raise AnotherTopicError(self._topic)
