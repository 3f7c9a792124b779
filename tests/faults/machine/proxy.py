"""A TCP proxy between one service and one server that can delay, block or truncate traffic."""

import asyncio
import contextlib
import socket
import struct

HOST = "127.0.0.1"
CHUNK_BYTES_MAX = 64 * 1024
# SO_LINGER on, 0 s: closing sends RST and discards unsent bytes.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards a port of its own to another one on this machine, from `start` until `close`.

    Attributes:
        port: where it listens.
        latency_s: how long each chunk is held back, in both directions.
        cuts: how many chunks from now on are sent only by half, before both sides are reset.
    """

    def __init__(self) -> None:
        self.port = 0
        self.latency_s = 0.0
        self.cuts = 0
        self._target_port = 0
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free port. Before `forward_to`, connections are reset."""
        self._server = await asyncio.start_server(self._accept, HOST)
        self.port = self._server.sockets[0].getsockname()[1]

    def forward_to(self, port: int) -> None:
        """Set the target of new connections."""
        self._target_port = port

    def black_hole(self) -> None:
        """Pass nothing from now on: connections stay open, new ones are accepted, and nothing is answered."""
        self._open.clear()

    def reset(self) -> None:
        """Reset all connections. New ones are forwarded."""
        for connection in self._connections:
            connection.cancel()

    def heal(self) -> None:
        """Forward again, at once and unchanged; delayed traffic arrives."""
        self.latency_s, self.cuts = 0.0, 0
        self._open.set()

    async def close(self) -> None:
        """Reset all connections and stop listening."""
        assert self._server is not None, "it was started"
        self._server.close()
        self.reset()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._connections.add(task)
        writers = [writer]
        # A reset is a cancellation; caught here, or the loop would report it.
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                server_reader, server = await asyncio.open_connection(HOST, self._target_port)
                writers.append(server)
                await self._forward((reader, server), (server_reader, writer))
        finally:
            self._connections.discard(task)
            for stream in writers:
                _reset(stream)

    async def _forward(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        pipes = [asyncio.create_task(self._pipe(*way)) for way in ways]
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES_MAX):
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            await self._open.wait()
            if self.cuts and len(chunk) > 1:
                self.cuts -= 1
                writer.write(chunk[: len(chunk) // 2])
                await writer.drain()
                return
            writer.write(chunk)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
