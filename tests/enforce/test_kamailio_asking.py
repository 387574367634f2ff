"""The part of Kamailio's script that asks: each message once, and no longer than its time."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from encodings.aliases import aliases
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import example, given, strategies as st

from tests.builders.enforce.kamailio_reading import kamailio, rp_data
from tests.waiting import END_S, wait_until

LIMIT_S: Final = 0.5  # for an answer: longer than the shipped one, since a core is shared
DRIP_S: Final = 0.01
NAME: Final = "gate.example"
REFUSAL: Final = b'{"ruling": "refuse"}'
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
WHOLE: Final = HEAD % len(REFUSAL) + b"\r\n" + REFUSAL


def words(kind: str = "text/plain", octets: str = "78", at_s: float | None = None) -> str:
    """What `otpguard.cfg` hands on of a message that was just taken."""
    taken_s = time.time() if at_s is None else at_s
    escaped = kind if kind == "<null>" else quote(kind, safe="")
    return f"{taken_s:.6f} %2B8613800000001 1069 i/1 127.0.0.1 {escaped} {octets}"


class Refuses:
    """A gate that refuses everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def refuses(self, body: bytes, _: float) -> bool:
        self.asked.append(json.loads(body))
        return True


def asking(place: str, answer_s: float = LIMIT_S) -> Any:
    """The script as Kamailio begins it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTPGUARD_GATE", place)
        patch.setenv("OTPGUARD_GATE_ANSWER_S", str(answer_s))
        patch.delenv("OTPGUARD_GATE_TOKEN_FILE", raising=False)
        return kamailio.mod_init()


@pytest.fixture(scope="module")
def asks() -> Any:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        return asking(f"127.0.0.1:{nobody.getsockname()[1]}", END_S)


charsets = st.one_of(
    st.sampled_from(sorted({*aliases, *aliases.values()})),
    st.sampled_from(["undefined", "idna", "punycode", "unicode_escape", "utf-8-sig", "a\0b", ""]),
    st.text(),
)
parameters = st.one_of(
    st.builds("charset={}".format, charsets),
    st.builds('charset="{}"'.format, charsets),
    st.builds("charset*={}''utf-8".format, charsets),
    st.builds("charset*{}={}".format, st.text(), charsets),
    st.text(),
)
texts = st.one_of(
    st.builds(
        "{};{}".format, st.sampled_from(["text/plain", "TEXT/plain "]),
        st.lists(parameters, max_size=4).map(";".join),
    ),
    st.text().filter(lambda kind: "/" not in kind),  # no type at all is read as text
    st.just("<null>"),
)  # fmt: skip
text_messages = st.tuples(texts, st.one_of(st.binary().map(bytes.hex), st.just("<null>")))
short_messages = st.tuples(
    st.builds("application/vnd.3gpp.sms;{}".format, parameters),
    st.sampled_from([rp_data("1069", "code 482913").hex(), "01", "", "<null>"]),
)


@given(st.one_of(text_messages, short_messages))
@example(("text/plain;charset=undefined", "78"))
@example(("text/plain;charset=idna", "2eff"))
@example(("text/plain;charset=punycode", "ff2d"))
@example(("text/plain;charset=a\0b", "78"))
@example(("text/plain;charset*=a\0b''utf-8", "78"))
@example(("text/plain;charset*=utf-8;charset*0=utf-8", "78"))
@example((f"text/plain;charset*{'9' * 5000}=utf-8", "78"))
@example(("text/plain", "<null>"))
@example(("<null>", "<null>"))
def test_no_content_type_and_no_body_keeps_the_gate_from_being_asked_once(
    asks: Any, message: tuple[str, str]
) -> None:
    gate = asks._gate = Refuses()
    assert asks.ask(None, words(*message)) == kamailio.REFUSE
    assert len(gate.asked) == 1


def test_an_absent_body_is_an_empty_one(asks: Any) -> None:
    gate = asks._gate = Refuses()
    asks.ask(None, words("text/plain", "<null>"))
    asks.ask(None, words("application/vnd.3gpp.sms", "<null>"))
    assert [each.get("text") for each in gate.asked] == ["", None]


@given(st.text())
@example("0 1 2 3 4 5 6")
@example("x 1 2 3 4 text/plain 78")
@example("0 1 2 3 4 text/plain zz")
def test_what_fails_before_the_gate_is_asked_passes_and_says_nothing_of_the_gate(
    asks: Any, handed: str
) -> None:
    gate = asks._gate = Refuses()
    assert asks.ask(None, handed) == kamailio.PASS
    assert not gate.asked


def test_a_message_that_waited_its_time_in_kamailio_is_no_silence_of_the_gate(asks: Any) -> None:
    gate = asks._gate = Refuses()
    assert asks.ask(None, words(at_s=time.time() - END_S - 1)) == kamailio.PASS
    assert not gate.asked


def test_a_long_content_type_costs_no_time() -> None:
    began_s = time.process_time()
    message = kamailio.read("1", "2", 'text/plain;a="' + ";" * 100_000, b"x")
    assert message.text == "x"
    assert time.process_time() - began_s < 1  # many times over where it grows by the square


@contextmanager
def gate(say: Callable[[socket.socket], object], port: int = 0) -> Iterator[int]:
    """A gate that is ready, and answers each question as it is told; its port."""
    with socket.socket() as taking:
        taking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taking.bind(("127.0.0.1", port))
        taking.listen()
        thread = threading.Thread(target=_serve, args=(taking, say))
        thread.start()
        try:
            yield taking.getsockname()[1]
        finally:
            taking.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            thread.join(END_S)


def _serve(taking: socket.socket, say: Callable[[socket.socket], object]) -> None:
    with suppress(OSError):
        while True:
            with taking.accept()[0] as taken, suppress(OSError):
                asked = b""
                while octets := taken.recv(4096):
                    asked += octets
                    if asked.startswith(b"GET ") and asked.endswith(b"\r\n\r\n"):
                        taken.sendall(WHOLE)
                        asked = b""
                    elif asked.endswith(b"}"):
                        say(taken)
                        asked = b""


class Drips:
    """An answer in pieces, one each 10 ms until somebody has turned away from it."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.turned_away, self.told_all = threading.Event(), threading.Event()

    def __call__(self, taken: socket.socket) -> None:
        for piece in self._pieces:
            if self.turned_away.wait(DRIP_S):
                return
            taken.sendall(piece)
        self.told_all.set()


def octets(*parts: bytes) -> list[bytes]:
    return [bytes([each]) for part in parts for each in part]


@pytest.mark.parametrize(
    "pieces",
    [
        octets(HEAD % len(REFUSAL), b"X: " + b"x" * 500 + b"\r\n\r\n", REFUSAL),
        [HEAD % (500 + len(REFUSAL)) + b"\r\n", *octets(b" " * 500 + REFUSAL)],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 500 + [WHOLE],
    ],
    ids=["head", "body", "continue"],
)
def test_a_gate_whose_answer_drips_holds_nobody_longer_than_one_that_is_silent(
    pieces: list[bytes],
) -> None:
    drips = Drips(*pieces)
    with gate(drips) as port:
        asks = asking(f"127.0.0.1:{port}")
        with closing(asks._gate._connection):
            try:
                assert asks.ask(None, words()) == kamailio.UNANSWERED
                assert not drips.told_all.is_set()
            finally:
                drips.turned_away.set()


@pytest.mark.parametrize(
    "answer",
    [
        HEAD % (5000 + len(REFUSAL)) + b"\r\n" + b" " * 5000 + REFUSAL,
        HEAD % len(REFUSAL) + b"X: " + b"x" * 5000 + b"\r\n\r\n" + REFUSAL,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 500 + WHOLE,
    ],
    ids=["body", "head", "continue"],
)
def test_no_more_than_4_kib_are_read_of_an_answer(answer: bytes) -> None:
    with gate(lambda taken: taken.sendall(answer)) as port:
        asks = asking(f"127.0.0.1:{port}", END_S)
        with closing(asks._gate._connection):
            assert asks.ask(None, words()) == kamailio.UNANSWERED


def test_each_of_many_answers_on_one_connection_has_its_own_octets() -> None:
    with gate(lambda taken: taken.sendall(WHOLE)) as port:
        asks = asking(f"127.0.0.1:{port}", END_S)
        with closing(asks._gate._connection):
            assert [asks.ask(None, words()) for _ in range(200)] == [kamailio.REFUSE] * 200


def test_an_answer_that_ends_with_its_connection_is_read() -> None:
    def say(taken: socket.socket) -> None:
        taken.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + REFUSAL)
        taken.shutdown(socket.SHUT_WR)

    with gate(say) as port:
        asks = asking(f"127.0.0.1:{port}", END_S)
        with closing(asks._gate._connection):
            assert [asks.ask(None, words()) for _ in range(3)] == [kamailio.REFUSE] * 3


class Names:
    """A name server: what it says of the gate's name, and who asked it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ports: list[int] = []
        self.on_the_way = 0
        self.lookups = 0
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: str, port: int, *args: Any, **named: Any) -> Any:
        if host != NAME or named.get("flags", 0) & socket.AI_NUMERICHOST:
            return self._real(host, port, *args, **named)
        self.on_the_way += threading.current_thread() is threading.main_thread()
        self.lookups += 1
        if not self.ports:
            raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each)) for each in self.ports
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.fixture
def dead() -> Iterator[int]:
    """A port where nobody listens, and nobody else will."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody.getsockname()[1]


def test_no_message_waits_for_a_name_server(names: Names) -> None:
    with gate(lambda taken: taken.sendall(WHOLE)) as port:
        names.ports = [port]
        asks = asking(f"{NAME}:{port}", END_S)
        assert names.on_the_way >= 1  # at the start
        names.on_the_way = 0
        with closing(asks._gate._connection):
            assert asks.ask(None, words()) == kamailio.REFUSE
    assert asks.ask(None, words()) == kamailio.UNANSWERED
    assert asks.ask(None, words()) == kamailio.UNANSWERED
    assert names.on_the_way == 0


@pytest.mark.parametrize("known", [True, False])
def test_a_gate_that_moved_is_found_by_its_name(names: Names, dead: int, known: bool) -> None:
    names.ports = [dead] if known else []
    asks = asking(f"{NAME}:9080", END_S)
    with gate(lambda taken: taken.sendall(WHOLE)) as port, closing(asks._gate._connection):
        assert asks.ask(None, words()) == kamailio.UNANSWERED
        names.on_the_way = 0
        names.ports = [port]
        wait_until(lambda: asks.ask(None, words()) == kamailio.REFUSE, "it is found")
        assert names.on_the_way == 0


def test_a_gate_is_found_at_the_second_address_of_its_name(names: Names, dead: int) -> None:
    with gate(lambda taken: taken.sendall(WHOLE)) as port:
        names.ports = [dead, port]
        asks = asking(f"{NAME}:9080", END_S)
        with closing(asks._gate._connection):
            assert asks.ask(None, words()) == kamailio.REFUSE
