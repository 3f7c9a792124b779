"""aiokafka's connection, for a loop that minds writing to what is closed.

asyncio drops what is written to a connection that was lost a moment ago; uvloop raises RuntimeError. aiokafka
takes that for a bug of its own, and the task in the background that met it ends for good (its issue 1038): a
consumer then keeps its partitions and never fetches again.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError


class Connection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """One that is closed is broken, and a new one is made, whichever loop says so."""

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        """Raises `KafkaConnectionError`: it is closed."""
        return self._or_broken(super().send, request, expect_response)

    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> Awaitable[Any]:
        return self._or_broken(super()._send_sasl_token, payload, expect_response)

    def _or_broken(self, send: Callable[..., Awaitable[Any]], *arguments: Any) -> Awaitable[Any]:
        try:
            return send(*arguments)
        except RuntimeError as error:
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


def use() -> None:
    """Let aiokafka make its connections of this class."""
    conn.AIOKafkaConnection = Connection
