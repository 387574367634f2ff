"""Starts and stops brokers for tests and benchmarks.

A broker is, in this order: the one at the address in `OTPGUARD_TEST_BROKER`; Apache Kafka from its
Maven artifact, where Java is; the demo's Tansu. Those started here listen on loopback only, own
their folder, and are gone when the block ends:

    with broker("kafka") as kafka:
        produce_to(kafka.bootstrap)
        kafka.kill()      # as `kill -9` does
        kafka.restart()   # on the same address, with the same data
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from tests.nodes import READY_S, Broker, BrokerError, Kind, Node, answers, free_ports, own, tansu
from tests.waiting import END_S

ADDRESS_VARIABLE: Final = "OTPGUARD_TEST_BROKER"
KAFKA_VERSION: Final = "4.3.1"
JAVA_VERSION_MIN: Final = 17  # the oldest that Kafka 4 brokers run on
POM: Final = Path(__file__).parents[1] / "deploy" / "kafka" / "pom.xml"
CLASSES: Final = "classes.jsa"
TOOLS_POM: Final = Path(__file__).parent / "kafka-tools.pom.xml"
MIRROR_POM: Final = Path(__file__).parent / "kafka-mirror.pom.xml"
MIRROR: Final = POM.parent / "mirror.properties"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A listener with SCRAM-SHA-512 over TLS and Kafka's own authoriser, which denies by default.

    `users` are names and passwords; the one called `admin` has to be there and may do everything.
    `key_pair` holds the broker's key (PKCS 8) and certificate in one PEM file.
    """

    users: Mapping[str, str]
    key_pair: Path
    ca: Path

    def properties(self) -> dict[str, str]:
        """Lines of server.properties; controllers are on loopback alone, and have no names."""
        admin = self.users["admin"]
        return {
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common."
            f'security.scram.ScramLoginModule required username="admin" password="{admin}";',
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.key_pair),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:admin;User:ANONYMOUS",
        }

    def scram(self) -> list[str]:
        """Arguments of the tool that formats the storage: users exist before the first start."""
        return [
            word
            for name, password in self.users.items()
            for word in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]


@contextmanager
def broker(
    kind: Kind | Literal["auto"] = "auto",
    nodes: int = 1,
    *,
    properties: Mapping[str, str] | None = None,
    heap: str = "1g",
    guarded: Guarded | None = None,
) -> Iterator[Broker]:
    """A broker that answers, for the length of the block.

    Parameters
    ----------
    kind
        "auto" takes the first there is; the others insist.
    nodes
        Size of the cluster; only Apache Kafka can have more than one.
    properties
        Further lines of Kafka's server.properties.
    heap
        Largest Java heap of a node.
    guarded
        Users, TLS and an authoriser instead of an open listener; only Apache Kafka.

    Raises
    ------
    BrokerError
        When it cannot be had: no Java, no Maven, no package, a port in use, no answer.
    """
    chosen = choose() if kind == "auto" else kind
    if chosen == "given":
        yield _given(os.environ.get(ADDRESS_VARIABLE, ""))
        return
    if chosen == "tansu":
        if nodes != 1:
            msg = "Tansu runs as one node; a cluster needs Apache Kafka"
            raise BrokerError(msg)
        with tansu() as made:
            yield made
        return

    def make(home: Path) -> Broker:
        return _kafka(home, nodes, properties or {}, heap, guarded)

    with own(make, "otpguard-kafka-") as made:
        yield made


def choose() -> Kind:
    """The kind that "auto" stands for on this machine."""
    if os.environ.get(ADDRESS_VARIABLE):
        return "given"
    return "tansu" if why_no_kafka() else "kafka"


def why_no_kafka() -> str:
    """What is missing to run Apache Kafka here, in one line; empty when nothing is."""
    java = _java_version()
    if java is None:
        return f"Apache Kafka needs Java {JAVA_VERSION_MIN} or newer, and there is no `java`"
    major = int(re.split(r"\D", java.removeprefix("1."))[0])
    if major < JAVA_VERSION_MIN:
        return f"Apache Kafka needs Java {JAVA_VERSION_MIN} or newer, and `java` is {major}"
    if not _jars().is_dir() and shutil.which("mvn") is None:
        return "Apache Kafka comes from Maven, and there is no `mvn`"
    return ""


def _given(address: str) -> Broker:
    first = address.split(",", maxsplit=1)[0]
    host, _, port = first.rpartition(":")
    if not host or not port.isdigit():
        msg = f"{ADDRESS_VARIABLE} must be host:port[,host:port…], and is {address!r}"
        raise BrokerError(msg)
    if not answers(host, int(port), timeout_s=END_S):
        msg = f"{ADDRESS_VARIABLE}: no Kafka broker answers at {first}"
        raise BrokerError(msg)
    return Broker("given", f"the broker in {ADDRESS_VARIABLE}", address)


def _kafka(
    folder: Path,
    size: int,
    properties: Mapping[str, str],
    heap: str,
    guarded: Guarded | None,
    more_java: Sequence[str] = (),
) -> Broker:
    if why := why_no_kafka():
        raise BrokerError(why)
    ports = free_ports(2 * size)
    listeners, controllers = ports[:size], ports[size:]
    voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controllers))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    java = ["java", f"-Xmx{heap}", "-Dorg.apache.logging.log4j.level=WARN"]
    java += [*(more_java or [f"-XX:SharedArchiveFile={classes()}"]), "-cp", f"{fetch_kafka()}/*"]
    protocol = "PLAINTEXT" if guarded is None else "SASL_SSL"
    nodes = []
    for i in range(size):
        home = folder / f"node-{i + 1}"
        home.mkdir()
        config = home / "server.properties"
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(i + 1),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{protocol}://127.0.0.1:{listeners[i]},"
            f"CONTROLLER://127.0.0.1:{controllers[i]}",
            "advertised.listeners": f"{protocol}://127.0.0.1:{listeners[i]}",
            "log.dirs": str(home / "data"),
            # a missing topic must be noticed, not made with the wrong number of partitions
            "auto.create.topics.enable": "false",
            "default.replication.factor": str(min(3, size)),
            "min.insync.replicas": str(min(2, size)),
            "offsets.topic.replication.factor": str(min(3, size)),
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": str(min(3, size)),
            "transaction.state.log.min.isr": str(min(2, size)),
            "transaction.state.log.num.partitions": "4",
            # a group of one need not wait three seconds for others to join
            "group.initial.rebalance.delay.ms": "0",
            **(guarded.properties() if guarded else {}),
            **properties,
        }
        config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        identity = f"--cluster-id={cluster}"  # it may begin with a hyphen
        tool = [*java, "kafka.tools.StorageTool", "format", identity, "-c", str(config)]
        run_tool([*tool, *(guarded.scram() if guarded else ())])
        command = [*java, "kafka.Kafka", str(config)]
        ca = guarded.ca if guarded else None
        nodes.append(Node(command, listeners[i], home / "server.log", ca=ca))
    bootstrap = ",".join(f"127.0.0.1:{port}" for port in listeners)
    return Broker("kafka", f"Apache Kafka {KAFKA_VERSION}", bootstrap, nodes)


def classes() -> Path:
    """The broker's classes as Java loads them fastest, written once for each Java.

    A broker that reads them needs 2.4 s of CPU to start and stop in place of 4.4 s. Java ignores a
    file that is missing or does not fit.
    """

    def write(new: Path) -> None:
        new.mkdir()
        option, prefix = f"-XX:ArchiveClassesAtExit={new / CLASSES}", "otpguard-classes-"
        with own(lambda home: _kafka(home, 1, {}, "1g", None, [option]), prefix) as first:
            node = first.nodes[0]
            node.send(signal.SIGTERM)
            assert node.process is not None
            node.process.wait(READY_S)

    fetch_kafka()  # now, as one folder is made at a time
    return made_once(_jars(f"kafka-java-{_java_version()}"), write) / CLASSES


def fetch_kafka() -> Path:
    """The folder with the broker's jars, fetched with Maven if it is not there (43 MB, once)."""
    return _fetched(_jars(), POM)


def _fetched(jars: Path, pom: Path) -> Path:
    def fetch(new: Path) -> None:
        settings = [f"-DoutputDirectory={new}", f"-Dkafka.version={KAFKA_VERSION}"]
        run_tool(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", *settings])

    return made_once(jars, fetch)


def made_once(target: Path, make: Callable[[Path], None]) -> Path:
    """The folder `target`, made by `make(new)` if it is not there, in full or not at all.

    Of all test processes and runs of `deploy/kafka/start` one makes at a time, whatever it makes:
    two Mavens that fetch into one local repository can leave half a file there. Temporary folders
    that a killed process left are removed, and a target that somebody else made meanwhile is taken.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "making.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in target.parent.glob("*.part*"):  # a live process would hold the lock
            shutil.rmtree(left, ignore_errors=True)  # a killed one's Maven may still write there
        if not target.is_dir():
            own = f"{target.name}.part-"
            with tempfile.TemporaryDirectory(prefix=own, dir=target.parent) as scratch:
                new = Path(scratch, "made")
                make(new)
                try:
                    new.rename(target)
                except OSError:
                    if not target.is_dir():
                        raise
    return target


def fetch_tools() -> Path:
    """The folder with the jars of Kafka's command line tools, fetched as the broker's are."""
    return _fetched(_jars("kafka-tools"), TOOLS_POM)


@contextmanager
def mirror(first: Broker, standby: Broker, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """MirrorMaker 2 with the settings of the guide, between two clusters of one node."""
    folder.mkdir()
    told = re.sub(r"(\.factor) = 3", r"\1 = 1", MIRROR.read_text())
    for name, broker in (("first", first), ("standby", standby)):
        told = re.sub(rf"({name}\.bootstrap\.servers) = .*", rf"\1 = {broker.bootstrap}", told)
    path = folder / "mirror.properties"
    path.write_text(told)
    jars = _fetched(_jars("kafka-mirror"), MIRROR_POM)
    command = ["java", "-Xmx256m", "-cp", f"{jars}/*"]
    with (folder / "mirror.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "org.apache.kafka.connect.mirror.MirrorMaker", path],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _jars(name: str = "kafka") -> Path:
    return cached(f"{name}-{KAFKA_VERSION}")


def cached(name: str) -> Path:
    """The place for something that is made once for each user of this machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "otpguard" / name


def _java_version() -> str | None:
    java = shutil.which("java")
    return None if java is None else _version_of(java)


@cache
def _version_of(java: str) -> str | None:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d[^"]*)"', said.stderr + said.stdout)
    return found[1] if found else None


def run_tool(command: Sequence[str]) -> None:
    """Run a tool to its end; its output is shown only if it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        msg = f"`{Path(command[0]).name}` failed ({done.returncode}): " + "\n".join(lines[-15:])
        raise BrokerError(msg)
