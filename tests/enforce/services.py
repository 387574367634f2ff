"""Starts real servers for the tests of the adapters, on loopback, each in its own folder.

Debian packages bring the programs (`.ci/packages` names them). Where one is missing, its tests are
skipped and say so; in CI they fail.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
import redis

from tests.enforce.smpp_ends import Client
from tests.ports import free_port
from tests.waiting import END_S, wait_until

CACHE: Final = Path(".cache")
STOP_S: Final = 20.0  # then it is killed, and no test fails

HOSTILE_CONNECTIONS: Final = 1_450
"""Each brings seven hostile PDUs: 10,000 for each gateway."""

PATIENT: Final = {"OTPGUARD_REDIS_ANSWER_S": "2"}
"""For what is not about time: the shipped 15 ms, after which a message passes, are short for a
Redis that shares its core with other tests."""


def need(program: str, package: str) -> str:
    """The path of a program, or the end of the test that wants it."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        missing = f"{program} is not installed (Debian: apt install {package})"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def until_hung_up(port: int, octets: bytes | bytearray) -> None:
    """Send a server octets, behind which nothing comes, and wait until it has hung up."""
    with socket.create_connection(("127.0.0.1", port), timeout=END_S) as connection:
        try:
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        except TimeoutError:
            raise
        except OSError:  # it hung up before it was told all
            pass


def leave_nothing(process: subprocess.Popen[str]) -> None:
    """Kill a process that still runs, and close its pipes."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            pipe.close()


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(END_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Server:
    """A program of ours: started, killed, frozen and started again by its owner alone."""

    name: str
    command: Sequence[str | Path]
    folder: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    keep_stdin: bool = False
    ports: Sequence[int] = ()  # that answer, too, before it is up
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Run it and wait until its port answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in self.command],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.PIPE if self.keep_stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._is_up, f"{self.name} answers on {self.port}; see {self.log}")
        return self

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self.process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._forget()

    def kill(self) -> None:
        """End it without a word, with everything it started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._forget()

    def supervise(self) -> None:
        """Start it if it has ended: a worker does where its broker is away for long."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def freeze(self) -> None:
        """Let it keep its connections and answer nobody; return when it stands still."""
        assert self.process is not None
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self.folder / f"{self.name}.log"

    def _is_up(self) -> bool:
        assert self.process is not None
        if (code := self.process.poll()) is not None:
            pytest.fail(f"{self.name} ended with {code}: {self.log.read_text()[-2000:]}")
        return all(map(listens, (self.port, *self.ports)))

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _forget(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def ours(config: Path, folder: Path, name: str, *words: str) -> Server:
    """A command of ours with these settings; its port is that of its health."""
    port = free_port()
    return Server(
        name,
        [sys.executable, "-m", "streams", *words, "--config", config],
        folder,
        port,
        {"OTPGUARD_HTTP_PORT": str(port), "PYTHONPATH": str(Path.cwd())},
    )


def redis_server(folder: Path, *options: str) -> Server:
    """A Redis that keeps nothing on disk."""
    port = free_port()
    program = need("redis-server", "redis-server")
    fixed = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server("redis", [program, *fixed, *options], folder, port)


def redis_client(server: Server) -> redis.Redis:
    """A client for looking, with patience."""
    return redis.Redis(port=server.port, socket_timeout=END_S)


KANNEL_PASSWORD = "kannel"


def kannel(
    folder: Path, smsc_port: int, list_url: str | None, core: str = "", smsc: str = ""
) -> tuple[Server, Server]:
    """Bearerbox and smsbox, bound to an SMSC, with our guide's lines in their configuration.

    The first's port is the admin's, the second's takes `/cgi-bin/sendsms`. No `list_url`: no black
    list. `core`, `smsc`: more lines of these groups.
    """
    bearerbox, smsbox = need("bearerbox", "kannel"), need("smsbox", "kannel")
    admin, box, sendsms = free_port(), free_port(), free_port()
    folder.mkdir(parents=True)
    guide = Path("deploy/gateways/kannel/otpguard.conf").read_text()
    guide = guide.replace("http://127.0.0.1:13080/list.txt", list_url) if list_url else ""
    # Two empty lines in a row are a group without a name, which Kannel refuses.
    more, smsc = (
        "".join(f"\n{each.strip()}" for each in one if each) for one in ([guide, core], [smsc])
    )
    config = folder / "kannel.conf"
    config.write_text(
        f"""
group = core
admin-port = {admin}
admin-password = {KANNEL_PASSWORD}
admin-interface = 127.0.0.1
smsbox-port = {box}
smsbox-interface = 127.0.0.1
log-level = 1{more}

group = smsc
smsc = smpp
smsc-id = counting
host = 127.0.0.1
port = {smsc_port}
smsc-username = kannel
smsc-password = kannel
system-type = ""
transceiver-mode = true
log-level = 1{smsc}

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-level = 1

group = sendsms-user
username = tester
password = tester
max-messages = 1
concatenation = true

group = sms-service
keyword = default
text = "no"
"""
    )
    return (
        Server("bearerbox", [bearerbox, config], folder, admin, ports=[box]),
        Server("smsbox", [smsbox, config], folder, sendsms),
    )


class Jasmin:
    """Jasmin with RabbitMQ, its interceptord, a user, a connector to an SMSC, and our interceptor.

    The servers stand in the order in which they may be stopped.
    """

    USER: Final = "esme"
    PASSWORD: Final = "secret"

    def __init__(self, folder: Path, redis_port: int, smsc_port: int) -> None:
        self.folder = folder
        self.python = jasmin_python()
        self.smpp_port, self.http_port = free_port(), free_port()
        self._cli_port = free_port()
        self._smsc_port = smsc_port
        self.rabbit, self.names = _rabbit(folder / "rabbit")
        self.interceptord, self.jasmind = self._daemons(redis_port)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in (self.names, self.rabbit, self.interceptord, self.jasmind):
                stack.enter_context(server)
            self._configure()
            self._started = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    def client(self) -> Client:
        """A bound SMPP session of our user."""
        return Client(self.smpp_port, self.USER, self.PASSWORD)

    def _daemons(self, redis_port: int) -> tuple[Server, Server]:
        interceptor_port, pb_ports = free_port(), [free_port() for _ in range(3)]
        logs = self.folder / "logs"
        logs.mkdir(parents=True)
        guide = Path("deploy/gateways/jasmin")
        interceptor = self.folder / "interceptor.cfg"
        interceptor.write_text(
            (guide / "interceptor.cfg").read_text().replace("8987", str(interceptor_port))
            + f"log_file = {logs}/interceptor.log\n"
        )
        config = self.folder / "jasmin.cfg"
        sections: dict[str, dict[str, object]] = {
            "smpp-server": {"port": self.smpp_port},
            "smpp-server-pb": {"port": pb_ports[0]},
            "client-management": {"port": pb_ports[1], "store_path": self.folder},
            "router": {"port": pb_ports[2], "store_path": self.folder},
            "jcli": {"port": self._cli_port, "authentication": "False"},
            "http-api": {"port": self.http_port, "access_log": logs / "http-access.log"},
            "amqp-broker": {
                "port": self.rabbit.port,
                "spec": next(self.python.parent.parent.glob(AMQP_SPEC)),
            },
            "redis-client": {"port": redis_port},
            "dlr": {},
            "deliversm-thrower": {},
            "dlr-thrower": {},
        }
        text = (guide / "jasmin.cfg").read_text().replace("8987", str(interceptor_port))
        text = text.replace("[http-api]\n", "")  # its one line goes into our section below
        split = "long_content_split = udh\n"
        lines = [text.replace(split, "")]
        for name, options in sections.items():
            lines += [f"[{name}]", "bind = 127.0.0.1", f"log_file = {logs}/{name}.log"]
            lines += [f"{option} = {value}" for option, value in options.items()]
            lines += [split] if name == "http-api" else []
        config.write_text("\n".join(lines) + "\n")
        paths = os.pathsep.join(str(Path(path).resolve()) for path in (guide, "."))
        programs = self.python.parent
        run = [self.python, Path("tests/enforce/jasmin_daemon.py").resolve()]
        return (
            Server(
                "interceptord",
                [*run, programs / "interceptord.py", "-c", interceptor],
                self.folder,
                interceptor_port,
                {
                    "PYTHONPATH": paths,
                    "OTPGUARD_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
                    "OTPGUARD_GATEWAY_ID": "jasmin-1",
                    **PATIENT,
                },
            ),
            Server(
                "jasmind",
                [*run, programs / "jasmind.py", "-c", config, "--enable-interceptor-client"],
                self.folder,
                self._cli_port,
            ),
        )

    def _configure(self) -> None:
        """What an operator types into jcli; every answer has to be a success."""
        script = Path("deploy/gateways/jasmin/interceptor.py").resolve()
        user = f"username {self.USER}\npassword {self.PASSWORD}\ngid all\nuid {self.USER}"
        throughput = "mt_messaging_cred quota smpps_throughput ND"
        connector = f"cid counting\nhost 127.0.0.1\nport {self._smsc_port}\nsubmit_throughput 0"
        with socket.create_connection(("127.0.0.1", self._cli_port), timeout=END_S) as console:
            _until(console, b"Session ref: ")
            for command in (
                "group -a\ngid all\nok",
                f"user -a\n{user}\n{throughput}\nok",
                f"smppccm -a\n{connector}\nok",
                "smppccm -1 counting",
                "mtrouter -a\ntype DefaultRoute\nconnector smppc(counting)\nrate 0\nok",
                f"mtinterceptor -a\ntype DefaultInterceptor\nscript python3({script})\nok",
            ):
                for line in command.split("\n"):
                    console.sendall(line.encode() + b"\r\n")
                    answer = _until(console, b"jcli : ", b"> ")
                if b"uccess" not in answer:
                    pytest.fail(f"jcli: {command!r}: {answer!r}")


AMQP_SPEC: Final = "lib/*/site-packages/txamqp/specs/standard/amqp0-9-1.stripped.xml"


def jasmin_python() -> Path:
    """The interpreter of a virtual environment that holds Jasmin; made once, under `.cache`."""
    requirements = Path("deploy/gateways/jasmin/requirements.txt")
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    home = CACHE / f"jasmin-{digest}"
    python = home / "bin" / "python"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "jasmin-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "whole").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "-r", str(requirements)], check=True)
            (home / "whole").touch()
    return python.absolute()


def inside(
    server: Server, *arguments: object, environment: Mapping[str, str] = PATIENT
) -> dict[str, Any]:
    """Run `jasmin_inside.py`: the interceptor in Jasmin's interpreter, without Jasmin around it."""
    paths = os.pathsep.join(str(Path(path).resolve()) for path in ("deploy/gateways/jasmin", "."))
    done = subprocess.run(
        [jasmin_python(), "tests/enforce/jasmin_inside.py", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths,
             "OTPGUARD_REDIS_URL": f"redis://127.0.0.1:{server.port}/0", **environment},
        check=False, capture_output=True, timeout=END_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


def _rabbit(folder: Path) -> tuple[Server, Server]:
    """RabbitMQ and the name service of its Erlang, both for us alone."""
    need("rabbitmq-server", "rabbitmq-server")
    port, names = free_port(), free_port()
    folder.mkdir(parents=True)
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_ENABLED_PLUGINS_FILE": "/dev/null",
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_NODENAME": f"otpguard-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    # The wrapper on the PATH insists on another user; this is what it calls.
    server = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    return (
        Server("rabbitmq", [server], folder, port, environment),
        Server("epmd", [need("epmd", "erlang-base"), "-port", str(names)], folder, names,
               environment),
    )  # fmt: skip


def _until(console: socket.socket, *ends: bytes) -> bytes:
    """What the console says up to a prompt."""
    said = b""
    while not any(end in said for end in ends):
        try:
            more = console.recv(4096)
        except TimeoutError:
            more = b""
        if not more:
            pytest.fail(f"jcli says no more after {said!r}")
        said += more
    return said
