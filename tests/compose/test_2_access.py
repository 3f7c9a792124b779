"""Each container may do little, and each server lets in only those that it needs."""

import asyncio
import ssl

import asyncpg
import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC, Topic
from infra.errors import LogUnavailableError, TransientError
from infra.kafka.connection import connection
from infra.kafka.producer import append, start_producer
from ops.access import SERVICES
from ops.access.kafka import RIGHTS, ResourceKind
from tests.compose.people import book, booked, log_in, log_in_staff, new_doctor
from tests.compose.server import LONG_RUNNING, Server
from tests.http.login.logins import new_address

MB = 1_000_000
# Of the image python:3.13-slim, which is not ours, as `docker images` shows it.
BASE_MB, IMAGE_MB_MAX = 122, 200


async def test_a_patient_logs_in_by_mail_and_books_through_the_proxy(server: Server) -> None:
    async with server.http() as http:
        doctor_id = await new_doctor(http, await log_in_staff(server, http))
        patient = await log_in(server, http, new_address())
        assert await book(http, patient, doctor_id) in await booked(http, patient)
        page = await http.get("/", follow_redirects=True)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "max-age" in page.headers["strict-transport-security"]


async def test_events_are_streamed_through_the_proxy(server: Server) -> None:
    async with server.http() as http:
        staff = await log_in_staff(server, http)
        doctor_id = await new_doctor(http, staff)
        async with http.stream("GET", "/v1/staff/events", headers=staff) as stream:
            assert stream.status_code == 200, await stream.aread()
            lines = stream.aiter_lines()
            patient = await log_in(server, http, new_address())
            appointment_id = await book(http, patient, doctor_id)
            async with asyncio.timeout(30):
                while appointment_id not in await anext(lines):
                    pass


async def test_without_tls_there_is_a_redirection(server: Server) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answered = await http.get(f"http://localhost:{server.ports['http']}/me")
    assert (answered.status_code, answered.headers["location"][:8]) == (308, "https://")


def test_the_image_is_small(server: Server) -> None:
    added = size_of(server, "clinic:test") - size_of(server, "python:3.13-slim")
    print(f"the image adds {added / MB:.0f} MB to its base")
    assert added / MB + BASE_MB < IMAGE_MB_MAX


def size_of(server: Server, image: str) -> int:
    """Bytes of all layers."""
    sizes = server.docker("history", "--human=false", "--format={{.Size}}", image)
    return sum(map(int, sizes.split()))


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_container_is_not_root_and_cannot_write(service: str, server: Server) -> None:
    assert server.compose("exec", "-T", service, "id", "-u") != "0"
    touched = "touch /probe 2>/dev/null && echo written || echo refused"
    assert server.compose("exec", "-T", service, "sh", "-c", touched) == "refused"


@pytest.mark.parametrize("service", SERVICES)
async def test_kafka_shows_a_service_its_own_topics(service: str, server: Server) -> None:
    admin = AIOKafkaAdminClient(**connection(server.of_service(service)))
    try:
        await admin.start()
        seen = {topic for topic in await admin.list_topics() if not topic.startswith("__")}
    finally:
        await admin.close()
    assert seen == {right.name for right in RIGHTS[service] if right.kind is ResourceKind.TOPIC}


@pytest.mark.parametrize(("service", "topic"), [("ingress", EVENTS_TOPIC), ("worker", COMMANDS_TOPIC)])
async def test_kafka_takes_events_from_workers_and_commands_from_ingresses_only(
    service: str, topic: Topic, server: Server
) -> None:
    producer = await start_producer(server.of_service(service), "probe")
    try:
        with pytest.raises(LogUnavailableError):
            await append(producer, topic.name, b"{}", key=b"x", headers=[], timeout_s=10, fail=lambda _: None)
    finally:
        await producer.stop()


@pytest.mark.parametrize("service", ["auditor", "notifier"])
async def test_kafka_takes_nothing_from_those_who_only_read(service: str, server: Server) -> None:
    with pytest.raises(TransientError, match="ClusterAuthorizationFailed"):
        await start_producer(server.of_service(service), "probe")


async def test_postgres_wants_tls_and_the_roles_own_password(server: Server) -> None:
    settings = server.settings
    port, password = server.ports["postgres"], settings.worker_dsn.partition("@")[0].rpartition(":")[2]
    for user, tls in (("clinic_worker", False), ("clinic_ingress", True), ("postgres", True)):
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await asyncpg.connect(
                host="localhost",
                port=port,
                user=user,
                password=password,
                database="clinic",
                ssl=server.tls if tls else False,
            )


async def test_valkey_lets_a_service_do_its_own(server: Server) -> None:
    redis = Redis.from_url(server.of_service("worker").redis_url.get_secret_value())
    try:
        assert await redis.publish("booking.decided", b"x") >= 0
        with pytest.raises(NoPermissionError):
            await redis.get("anything")
    finally:
        await redis.aclose()


async def test_who_does_not_know_the_authority_is_warned(server: Server) -> None:
    async with httpx.AsyncClient(verify=ssl.create_default_context(), trust_env=False) as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.get(server.url)


def test_the_operator_sees_that_all_is_well(server: Server) -> None:
    server.until_well()
    server.clinic("health")  # fails if it is not
