"""TLS for Postgres and Valkey: `python -m ops.tls.front TLS_FILE PORT=SOCKET …`.

The wheels of both are built without OpenSSL. So where nothing may listen without TLS they listen on Unix
sockets in the data folder, which nobody else can enter, and this process listens on loopback for them: TLS
from the first byte, and what comes out of it goes to the socket as it is.
"""

import asyncio
import signal
import ssl
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import uvloop

from infra.crypto.tls import serving_context
from infra.service import allow_open_files

LOOPBACK = "127.0.0.1"
# What clients of Postgres name (ALPN) when they begin with TLS; libpq insists on the answer.
ALPN = "postgresql"
CHUNK_BYTES = 64 * 1024
FILES_MAX = 4_096


async def _relay(path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        server_reader, server_writer = await asyncio.open_unix_connection(path)
    except OSError:  # the server is unavailable: the client sees that the connection ends
        writer.close()
        return
    copying = [
        asyncio.create_task(_copy(reader, server_writer)),
        asyncio.create_task(_copy(server_reader, writer)),
    ]
    try:
        await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in copying:
            task.cancel()
        await asyncio.gather(*copying, return_exceptions=True)
        writer.close()
        server_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


async def _serve(context: ssl.SSLContext, sockets: Mapping[int, Path]) -> None:
    stop = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    for port, path in sockets.items():
        await asyncio.start_server(partial(_relay, path), LOOPBACK, port, ssl=context)
    await stop.wait()


def main(tls_file: str, pairs: Sequence[str]) -> None:
    """Relay until SIGTERM."""
    context = serving_context(Path(tls_file))
    assert context is not None, "there is a file"
    context.set_alpn_protocols([ALPN])
    allow_open_files(FILES_MAX)
    split = (pair.partition("=") for pair in pairs)
    uvloop.run(_serve(context, {int(port): Path(path) for port, _, path in split}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
