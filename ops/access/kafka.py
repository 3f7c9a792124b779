"""Users of Kafka, and rights of the services on topics, groups and transactions.

aiokafka's admin client cannot give them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from contracts.topics import (
    COMMANDS_TOPIC,
    DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    LOGIN_CHALLENGES_TOPIC,
    SECURITY_EVENTS_TOPIC,
)
from infra.errors import MisconfiguredError
from infra.kafka.connection import REQUEST_TIMEOUT_MS, connection, no_answer
from infra.settings import Settings

ALLOW = 3
ANY_HOST = "*"
# The node itself. The operator is the other super user.
BROKER = "broker"
JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule required"
ACCESS = """\
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:broker;User:operator
listener.name.clients.plain.sasl.jaas.config={login}
listener.name.controller.plain.sasl.jaas.config={login}
"""


class ResourceKind(IntEnum):
    """Kinds of resource (KIP-11)."""

    TOPIC = 2
    GROUP = 3
    TRANSACTION = 5


class Operation(IntEnum):
    """Both include DESCRIBE."""

    READ = 3
    WRITE = 4


class Pattern(IntEnum):
    """How a name is compared (KIP-290)."""

    LITERAL = 3
    PREFIXED = 4


@dataclass(frozen=True)
class Right:
    """Something that a service may do. The name goes without the clinic's namespace."""

    kind: ResourceKind
    name: str
    operation: Operation
    pattern: Pattern = Pattern.LITERAL


def _topics(operation: Operation, *names: str) -> tuple[Right, ...]:
    return tuple(Right(ResourceKind.TOPIC, name, operation) for name in names)


def _groups(*names: str) -> tuple[Right, ...]:
    return tuple(Right(ResourceKind.GROUP, name, Operation.READ) for name in names)


COMMANDS, EVENTS, LETTERS = COMMANDS_TOPIC.name, EVENTS_TOPIC.name, DEAD_LETTERS_TOPIC.name
SECURITY, CHALLENGES = SECURITY_EVENTS_TOPIC.name, LOGIN_CHALLENGES_TOPIC.name
RIGHTS = {
    "ingress": (
        *_topics(Operation.WRITE, COMMANDS, SECURITY, CHALLENGES),
        # A patient is forgotten when the commands' log holds nothing of theirs that is undecided.
        *_topics(Operation.READ, COMMANDS),
    ),
    "worker": (
        *_topics(Operation.READ, COMMANDS, EVENTS, LETTERS),
        *_topics(Operation.WRITE, EVENTS, LETTERS),
        *_groups("booking-worker"),
        # One of each partition's dead letters.
        Right(ResourceKind.TRANSACTION, f"{LETTERS}-", Operation.WRITE, Pattern.PREFIXED),
    ),
    "auditor": (*_topics(Operation.READ, EVENTS, SECURITY), *_groups("auditor", "auditor-security")),
    "notifier": (*_topics(Operation.READ, EVENTS, CHALLENGES), *_groups("notifier", "notifier-codes")),
}
"""The rights of each service, whose user has its name. The operator is one of Kafka's super users."""


def access_properties(passwords: Mapping[str, str]) -> str:
    """The configuration of a node by which these users alone log in, and services need rights.

    Its listeners are CLIENTS and CONTROLLER. `passwords` by user: of `BROKER`, the operator and the services.
    """
    users = " ".join(f'user_{name}="{password}"' for name, password in passwords.items())
    return ACCESS.format(login=f'{JAAS} username="{BROKER}" password="{passwords[BROKER]}" {users};')


async def grant_topics(settings: Settings, services: Sequence[str]) -> dict[str, int]:
    """Give the services their rights; those that they have stay. Returns the number of rights of each.

    Where nobody logs in to Kafka (SASL), there is nothing to give.

    Raises:
        TransientError: no broker answers.
        MisconfiguredError: the cluster has no authorizer, or refuses.
    """
    if not settings.kafka_security_protocol.startswith("SASL"):
        return dict.fromkeys(services, 0)
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        for service in services:
            for request in _requests(settings.namespace, service):
                answer = await admin._send_request(request)
                for code, message in answer.creation_responses:
                    if code:
                        raise MisconfiguredError(
                            f"Kafka does not give {service} its rights: {message or for_code(code).__name__}"
                        )
    except (KafkaError, OSError, TimeoutError) as error:
        raise no_answer(error) from error
    finally:
        await admin.close()
    return {service: len(RIGHTS[service]) for service in services}


def _requests(namespace: str, service: str) -> Iterator[CreateAclsRequest]:
    for right in RIGHTS[service]:
        yield CreateAclsRequest(
            right.kind,
            f"{namespace}{right.name}",
            right.pattern,
            f"User:{service}",
            ANY_HOST,
            right.operation,
            ALLOW,
        )
