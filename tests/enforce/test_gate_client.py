"""SMSGate's end of the gate, and gates that answer late, wrongly, twice, or not at all."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.enforce.services import leave_nothing
from tests.enforce.smsgate.ends import built
from tests.waiting import END_S, STILL_S, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_200)]

ASKS = Path(__file__).parent / "smsgate" / "Asks.java"
TIMEOUT_MS = 3_000  # of what is not about time, on a busy machine


def answer(ruling: str, *headers: str) -> bytes:
    body = json.dumps({"ruling": ruling}).encode()
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


REFUSE, PASS = answer("refuse"), answer("pass")


class Talk:
    """One connection of a client with a gate that the test makes up."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.number = number
        self._connection = connection
        self._lines = connection.makefile("rb")
        self.asked = 0

    def question(self) -> int:
        """The number of the next question. Raise OSError where none comes any more."""
        size = 0
        while line := self._lines.readline():
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
            if line == b"\r\n":
                self.asked += 1
                return int(json.loads(self._lines.read(size))["n"])
        raise ConnectionResetError

    def say(self, octets: bytes) -> None:
        self._connection.sendall(octets)

    def idle(self, seconds: float) -> bool:
        """Tell if no question comes for so long."""
        self._connection.settimeout(seconds)
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self._connection.settimeout(END_S)
        return False

    def linger(self) -> None:
        """Say no more, and read until the client has hung up: it loses no answer to a reset."""
        self._connection.shutdown(socket.SHUT_WR)
        while self._lines.read(65_536):
            pass

    def close(self) -> None:
        self._lines.close()
        self._connection.close()


class MadeUp:
    """A gate whose every connection is `talk`, in a thread of its own."""

    def __init__(self, talk: Callable[[Talk], None]) -> None:
        self._talk = talk
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self.talks: list[Talk] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._door.accept()
            except OSError:
                return
            talk = Talk(connection, len(self.talks))
            self.talks.append(talk)
            threading.Thread(target=self._run, args=(talk,), daemon=True).start()

    def _run(self, talk: Talk) -> None:
        try:
            self._talk(talk)
        except OSError:
            pass
        finally:
            talk.close()

    def close(self) -> None:
        self._door.close()


class Asker:
    """A client in a process of Java."""

    def __init__(
        self, host: str, port: int, timeout_ms: int, waiting_max: int, options: Sequence[str]
    ) -> None:
        jars = built()
        self.ruled: dict[int, str] = {}
        self.doubles = 0
        self.told: list[int] = []
        self._process = subprocess.Popen(
            [
                "java", "-Xmx128m", *options, "-cp", f"{next(jars.glob('*.jar'))}:{jars}/lib/*",
                str(ASKS), host, str(port), str(timeout_ms), str(waiting_max),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ},
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "READY\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            kind, *rest = line.split()
            if kind == "RULED":
                number = int(rest[0])
                self.doubles += number in self.ruled
                self.ruled[number] = rest[1]
            elif kind == "GATE":
                self.told = [int(each) for each in rest]

    def ask(self, *numbers: int) -> None:
        """Ask these at once; the questions of even numbers are to pass."""
        self.tell(" ".join(map(str, numbers)))

    def tell(self, line: str) -> None:
        """Write a line to the process."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def rulings(self, *numbers: int) -> list[str]:
        """Ask these, and wait for what is told of each."""
        self.ask(*numbers)
        wait_until(lambda: all(each in self.ruled for each in numbers), "each is ruled on")
        return [self.ruled[each] for each in numbers]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_S)
        self._reader.join(END_S)

    def end(self) -> None:
        leave_nothing(self._process)


@contextmanager
def asking(
    talk: Callable[[Talk], None],
    timeout_ms: int = TIMEOUT_MS,
    waiting_max: int = 1_000,
    host: str = "127.0.0.1",
    options: Sequence[str] = (),
) -> Iterator[tuple[Asker, MadeUp]]:
    """A client of a made-up gate; `options` are Java's."""
    gate = MadeUp(talk)
    asker = Asker(host, gate.port, timeout_ms, waiting_max, options)
    try:
        yield asker, gate
    finally:
        asker.end()
        gate.close()


def honest(talk: Talk) -> None:
    """Refuse odd numbers."""
    while True:
        talk.say(REFUSE if talk.question() % 2 else PASS)


def test_each_question_has_its_own_answer_though_connections_come_and_go() -> None:
    """The gate is replaced again and again; a connection that nobody uses it closes, when idle."""

    def replaced(talk: Talk) -> None:
        if talk.idle(STILL_S):
            return
        for _ in range(5):
            number = talk.question()
            time.sleep(0.002)  # so that questions wait for answers
            talk.say(REFUSE if number % 2 else PASS)
        last = talk.question()
        talk.say(answer("refuse" if last % 2 else "pass", "Connection: close"))
        talk.linger()

    with asking(replaced) as (asker, gate):
        first = 1
        while len(gate.talks) < 12 or first < 1_000:
            asker.ask(*range(first, first + 20))
            first += 20
            time.sleep(0.005)
            assert first < 100_000
        talks = list(gate.talks)  # before the last one is idle, and goes
        numbers = range(1, first)
        wait_until(lambda: len(asker.ruled) == len(numbers), "each is ruled on")
        assert [n for n in numbers if n % 2 == 0 and asker.ruled[n] == "refuse"] == []
        assert [talk.number for talk in talks[:-1] if not talk.asked] == []
        asker.close()
        assert asker.doubles == 0
        assert asker.told[0] == len(numbers)
        assert asker.told[1] == sum(ruling == "refuse" for ruling in asker.ruled.values()) > 0


def test_a_connection_with_an_answer_too_many_is_given_up() -> None:
    def twice(talk: Talk) -> None:
        while True:
            talk.say((REFUSE if talk.question() % 2 else PASS) * 2)

    with asking(twice) as (asker, gate):
        for _ in range(5):
            talks = len(gate.talks)
            wait_until(lambda: asker.rulings(_fresh(asker)) == ["refuse"], "it is asked")
            wait_until(partial(_more, gate, talks), "it begins anew")
        assert all(ruling == "pass" for n, ruling in asker.ruled.items() if n % 2 == 0)


def test_who_only_hangs_up_is_not_asked_without_a_pause() -> None:
    with asking(lambda _: None) as (asker, gate):
        talks = len(gate.talks)
        time.sleep(STILL_S)
        assert len(gate.talks) - talks < 20
        assert asker.rulings(1) == ["pass"]


@pytest.mark.parametrize(
    "octets",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        answer("REFUSE"),
        b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"ruling":["refuse"]}',
        REFUSE.replace(b"200 OK", b"503 Service Unavailable"),
        REFUSE.replace(b"200 OK", b"302 Found"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b"\0" * 20,
        b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"ruling":"re',
    ],
)
def test_whatever_is_no_refusal_lets_pass_and_the_next_is_asked(octets: bytes) -> None:
    def first_wrongly(talk: Talk) -> None:
        if talk.number == 0:
            talk.question()
            talk.say(octets)
        honest(talk)

    with asking(first_wrongly, timeout_ms=400) as (asker, gate):
        wait_until(lambda: asker.rulings(_fresh(asker)) == ["pass"] and _asked(gate), "it is asked")
        assert "refuse" not in asker.ruled.values()
        wait_until(lambda: asker.rulings(_fresh(asker)) == ["refuse"], "it is asked again")


def _more(gate: MadeUp, talks: int) -> bool:
    return len(gate.talks) > talks


def _asked(gate: MadeUp) -> bool:
    return any(talk.asked for talk in gate.talks)


def _fresh(asker: Asker) -> int:
    """An odd number that was not asked about."""
    return 2 * len(asker.ruled) + 101


def test_half_an_answer_and_none_cost_their_own_questions_alone() -> None:
    """A gate that says half and hangs: those under way pass in time, later ones are answered."""
    on = threading.Event()

    def half(talk: Talk) -> None:
        if talk.number == 0:
            talk.question()
            talk.say(REFUSE[:-5])
            on.wait(END_S)
        honest(talk)

    with asking(half, timeout_ms=100) as (asker, gate):
        numbers = range(1, 60, 2)
        assert set(asker.rulings(*numbers)) == {"pass"}
        wait_until(lambda: asker.rulings(_fresh(asker)) == ["refuse"], "it is given up")
        on.set()
        assert len(gate.talks) >= 2
        asker.close()
        assert asker.doubles == 0


def test_beyond_its_bound_nothing_is_asked_and_all_of_it_passes() -> None:
    def silent(talk: Talk) -> None:
        while True:
            talk.question()

    with asking(silent, timeout_ms=100, waiting_max=50) as (asker, gate):
        assert set(asker.rulings(*range(1, 2_001, 2))) == {"pass"}
        assert sum(talk.asked for talk in gate.talks) <= 100  # of each connection 50
        asker.close()
        assert asker.told == [1_000, 0, 1_000]


def test_a_silent_name_server_holds_no_message_back(tmp_path: Path) -> None:
    """It is Java's file of hosts, and a pipe: who looks a name up waits until the test writes."""
    hosts = tmp_path / "hosts"
    os.mkfifo(hosts)

    def replaced(talk: Talk) -> None:
        if talk.number == 0:
            talk.question()
            talk.say(answer("refuse", "Connection: close"))
            talk.linger()
        else:
            honest(talk)

    # No name is remembered, so that each connection asks for it again; and no time-out comes, so
    # that whatever has no connection passes at once.
    options = [f"-Djdk.net.hosts.file={hosts}", "-Dsun.net.inetaddr.ttl=0"]
    never_ms = 10_000 * int(END_S)
    with asking(replaced, never_ms, host="gate.example", options=options) as (asker, gate):
        for number in range(2):
            first = _fresh(asker)
            assert set(asker.rulings(*range(first, first + 400, 2))) == {"pass"}
            assert len(gate.talks) == number
            hosts.write_text("127.0.0.1 gate.example\n")
            wait_until(lambda: asker.rulings(_fresh(asker)) == ["refuse"], "it is asked")
        asker.close()
        assert asker.doubles == 0
        assert asker.told == [len(asker.ruled), 2, len(asker.ruled) - 2]


def test_what_holds_the_connection_up_holds_no_message_back() -> None:
    """Whoever is told of the first answer keeps the client's thread to himself."""
    with asking(honest, timeout_ms=400) as (asker, gate):
        wait_until(lambda: asker.rulings(_fresh(asker)) == ["refuse"], "it is asked")
        held = _fresh(asker)
        asker.tell(f"{held}!")
        wait_until(lambda: held in asker.ruled, "it is ruled on")
        first = _fresh(asker)
        assert set(asker.rulings(*range(first, first + 400, 2))) == {"pass"}
        asker.tell("on")
        wait_until(lambda: asker.rulings(_fresh(asker)) == ["refuse"], "it is asked again")
        asker.close()
        assert asker.doubles == 0
        assert sum(talk.asked for talk in gate.talks) < 200  # nobody waits for those any more


def test_the_first_question_finds_everything_loaded(tmp_path: Path) -> None:
    """Java loads a class where it is first used; those of HTTP and JSON take longer than 20 ms."""
    log = tmp_path / "classes"
    with asking(honest, options=[f"-Xlog:class+load:file={log}"]) as (asker, _):
        before = len(log.read_text().splitlines())
        assert asker.rulings(1) == ["refuse"]
        asker.close()
    later = [line.split()[1] for line in log.read_text().splitlines()[before:]]
    assert [name for name in later if ".http." in name or ".jackson." in name] == []
