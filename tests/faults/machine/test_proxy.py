"""The proxy's effects on a connection."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.machine.proxy import HOST, Proxy
from tests.waiting import until_async

SOON_S = 0.3
MESSAGE = b"a message of some length"


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that echoes everything."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1024):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(echo, HOST)
    proxy = Proxy()
    await proxy.start()
    proxy.forward_to(server.sockets[0].getsockname()[1])
    yield proxy
    await proxy.close()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def connection(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    writer.write(MESSAGE)
    assert await reader.readexactly(len(MESSAGE)) == MESSAGE
    yield reader, writer
    writer.transport.abort()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_a_black_hole_answers_nothing_until_it_is_healed(proxy: Proxy, connection: Connection) -> None:
    reader, writer = connection
    proxy.black_hole()
    writer.write(MESSAGE)
    answer = asyncio.create_task(reader.readexactly(len(MESSAGE)))
    done, _ = await asyncio.wait([answer], timeout=SOON_S)
    assert not done
    _, another = await asyncio.open_connection(HOST, proxy.port)
    another.transport.abort()

    proxy.heal()

    assert await answer == MESSAGE


async def test_a_write_is_truncated(proxy: Proxy, connection: Connection) -> None:
    reader, writer = connection
    proxy.cuts = 1
    writer.write(MESSAGE)

    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(len(MESSAGE))
    assert proxy.cuts == 0


async def test_delayed_traffic_arrives(proxy: Proxy, connection: Connection) -> None:
    reader, writer = connection
    proxy.latency_s = SOON_S
    begun = asyncio.get_running_loop().time()
    writer.write(MESSAGE)

    assert await reader.readexactly(len(MESSAGE)) == MESSAGE
    assert asyncio.get_running_loop().time() - begun >= 2 * SOON_S


async def test_a_reset_ends_existing_connections(proxy: Proxy, connection: Connection) -> None:
    reader, _ = connection
    proxy.reset()

    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)

    async def answers() -> bool:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(MESSAGE)
        answer = await reader.readexactly(len(MESSAGE))
        writer.transport.abort()
        return answer == MESSAGE

    await until_async(answers, "a new connection is fine")
