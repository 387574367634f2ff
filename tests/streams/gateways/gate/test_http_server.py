"""HTTP: keep-alive, pipelining, bounds on all that a client may send, and a fuzz of all of it."""

from __future__ import annotations

import json
import random
import socket
import threading
from contextlib import suppress
from itertools import product
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import example, given, strategies as st

from streams.gateways.gate import http_server as http
from streams.gateways.gate.http_requests import HEAD_BYTES_MAX, Limits
from streams.gateways.gate.http_server import Reply, Server, Turns
from tests.streams.gateways.gate.asked import (
    BANK,
    FLOOD,
    VICTIM,
    answers,
    desk,
    question,
    request,
    served,
    statuses,
)
from tests.waiting import STILL_S, wait_until

LINE_FEEDS = b"POST /echo HTTP/1.1\nContent-Length: 7\n\nab\r\n\r\nc"
PIECES = (
    *(request("/echo", b"x" * size) for size in (0, 1, 7, 40)),
    request("/echo", b"a\r\n\r\nb"),
    request("/echo", b"POST /echo HTTP/1.1\r\n\r\n"),
    request("/echo", request("/echo", b"x")),
    request("/echo", b"x" * 200),
    request("/echo?x=1", b"q"),
    request("/fails", b"x"),
    request("/nowhere", b"x"),
    request("/echo", b"x", "HEAD"),
    request("/echo", b"x", "POST", "Expect: 100-continue"),
    request("/echo", b"x", "POST", "Connection: close"),
    request("/echo", b"x", "POST", "Authorization: Bearer t"),
    request("/echo", b"x", "POST", "Authorization: Bearer other"),
    b"\r\n\r\n" + request("/echo", b"x"),
    LINE_FEEDS,
    b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
    b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi",
    b"POST /echo HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    b"POST /echo HTTP/1.1\r\nContent-Length: 99\r\n\r\nnot whole",
    b"nonsense\r\n\r\n",
)

ECHO = {(b"POST", b"/echo"): lambda body: Reply(200, body)}
CLOSE = "Connection: close"


def test_a_connection_is_kept_and_questions_may_be_sent_before_answers_come(tmp_path: Path) -> None:
    made = desk()
    made.hold()
    many = [request(body=question(**each)) for each in (FLOOD, BANK, FLOOD) * 50]
    with served(tmp_path, made.gate) as place:
        found = answers(place.talk(b"".join(many)))
    whys = [json.loads(body)["why"] for _, body in found]
    assert whys == ["refuse", "trusted", "refuse"] * 50
    assert len(made.events) == 150


def test_a_request_may_come_a_byte_at_a_time_and_in_chunks(tmp_path: Path) -> None:
    with served(tmp_path, routes_=dict(ECHO)) as place:
        whole = request("/echo", b"hello")
        assert answers(place.talk(*(whole[n : n + 1] for n in range(len(whole))))) == [
            (200, b"hello")
        ]
        chunked = (
            b"POST /echo?x=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        )
        assert answers(place.talk(chunked)) == [(200, b"hello")]


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (request("/nowhere"), 404),
        (request("/echo", method="GET"), 405),
        (b"nonsense\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", 404),
        (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /echo HTTP/1.1\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (request("/echo", b"x" * 2_000), 413),
    ],
)
def test_what_is_no_request_is_answered_and_passes(
    tmp_path: Path, octets: bytes, status: int
) -> None:
    with served(tmp_path, routes_=dict(ECHO), body_bytes_max=1_000) as place:
        found = answers(place.talk(octets))
        assert [each for each, _ in found] == [status]
        assert json.loads(found[0][1])["ruling"] == "pass"
        assert statuses(place.talk(request("/echo", b"x"))) == [200]  # and the next is served


def test_an_offer_of_another_protocol_is_not_taken_up(tmp_path: Path) -> None:
    offer = (
        b"POST /echo HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi"
    )
    with served(tmp_path, routes_=dict(ECHO)) as place:
        assert answers(place.talk(offer + offer)) == [(200, b"hi")] * 2
        assert answers(place.talk(*(offer[n : n + 3] for n in range(0, len(offer), 3)))) == [
            (200, b"hi")
        ]
    with served(tmp_path, routes_=dict(ECHO), token=b"t") as place:
        right = offer.replace(b"Upgrade: h2c", b"Upgrade: h2c\r\nAuthorization: Bearer t")
        assert statuses(place.talk(right + offer)) == [200, 401]


class Wire:
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, octets: bytes) -> None:
        self.written += octets

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        """No event loop reads from it."""

    resume_reading = pause_reading


READ = http.SLICE_BYTES - 1  # after a whole slice the loop would have to serve other clients


def talked(server: Server, *pieces: bytes) -> tuple[bytes, bool]:
    """What a connection of this server answers to octets that come so."""
    connection, wire = server.connection(), Wire()
    server._sweeper = Mock()  # no event loop runs
    connection.connection_made(wire)  # type: ignore[arg-type]
    for piece in pieces:
        for at in range(0, len(piece), READ):
            octets = piece[at : at + READ]
            connection.get_buffer(-1)[: len(octets)] = octets
            connection.buffer_updated(len(octets))
    connection.connection_lost(None)
    return wire.written, wire.closed


def fails(body: bytes) -> Reply:
    raise ValueError(body)


def server_of(token: bytes) -> Server:
    table = {**ECHO, (b"POST", b"/fails"): fails}
    return Server(table, Limits(100, 100, token, b"failed"), lambda _: None, lambda: None)


@pytest.mark.parametrize("token", [b"", b"t"])
def test_requests_are_answered_the_same_in_one_piece_and_in_two(token: bytes) -> None:
    server = server_of(token)
    for first, second in product(PIECES, repeat=2):
        assert talked(server, first, second) == talked(server, first + second)


CUTS = st.integers(0, 70) | st.just(len(request("/echo", b"x")))  # where its body begins, or in it


@given(
    st.lists(st.tuples(st.sampled_from(PIECES), CUTS), min_size=1, max_size=6),
    st.sampled_from([b"", b"t"]),
)
@example([(request("/echo", b"hello"), 2)], b"")
@example([(request("/echo", request("/echo", b"x")), len(request("/echo", b"x")))], b"")
@example([(request("/echo", b"x", "HEAD"), 0), (request("/echo"), 0), (b"nonsense\r\n\r\n", 0)],
         b"")  # fmt: skip
def test_requests_are_answered_the_same_however_their_bytes_come(
    pieces: list[tuple[bytes, int]], token: bytes
) -> None:
    chunks = []
    for piece, left in pieces:
        start = max(0, len(piece) - left)
        chunks += [piece[:start], piece[start:]]
    server = server_of(token)
    assert talked(server, *chunks) == talked(server, b"".join(chunks))


def test_a_handler_that_fails_costs_its_own_answer(tmp_path: Path) -> None:
    table = {**ECHO, (b"POST", b"/fails"): fails}
    with served(tmp_path, routes_=table) as place:
        both = place.talk(request("/fails", b"x") + request("/echo", b"x"))
        assert statuses(both) == [500, 200]


def test_with_a_token_nobody_else_is_answered(tmp_path: Path) -> None:
    made = desk()
    made.hold()
    with served(tmp_path, made.gate, token=b"secret") as place:
        for header in ("X: y", "Authorization: Bearer wrong", "Authorization: secret"):
            [(status, body)] = answers(
                place.talk(request("/v1/submit", question(**FLOOD), "POST", header))
            )
            assert (status, json.loads(body)["why"]) == (401, "unreadable")
        assert made.events == []
        right = request("/v1/submit", question(**FLOOD), "POST", "authorization: Bearer secret")
        both = answers(place.talk(right + request("/v1/submit", question(**FLOOD))))
        assert [status for status, _ in both] == [200, 401]  # each request for itself


def test_a_client_that_waits_before_its_body_is_told_to_go_on(tmp_path: Path) -> None:
    with served(tmp_path, routes_=dict(ECHO)) as place:
        found = place.talk(request("/echo", b"hello", "POST", "Expect: 100-continue"))
        assert found.startswith(b"HTTP/1.1 100")
        assert answers(found) == [(200, b"hello")]


def test_past_the_limit_the_longest_idle_connection_goes_and_the_newest_is_answered(
    tmp_path: Path,
) -> None:
    with served(tmp_path, routes_=dict(ECHO), connections_max=3) as place:
        idle = []
        for _ in range(3):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(60)
            client.connect(str(place.path))
            client.sendall(request("/echo", b"x"))
            client.recv(1_000)
            idle.append(client)
        assert statuses(place.talk(request("/echo", b"x"))) == [200]
        assert idle[0].recv(1_000) == b""
        idle[2].sendall(request("/echo", b"x"))
        assert idle[2].recv(1_000)
        for client in idle:
            client.close()


def test_who_dawdles_with_a_request_or_stays_for_nothing_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PARTIAL_S", 0.2)
    monkeypatch.setattr(http, "SWEEP_S", 0.05)
    with served(tmp_path, routes_=dict(ECHO)) as place:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(place.path))
            client.sendall(b"POST /echo HTTP/1.1\r\n")
            assert client.recv(1_000).startswith(b"HTTP/1.1 408")
            assert client.recv(1_000) == b""
        monkeypatch.setattr(http, "IDLE_S", 0.2)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(place.path))
            assert client.recv(1_000) == b""


def test_a_server_that_leaves_answers_each_connection_what_it_has_asked(tmp_path: Path) -> None:
    with served(tmp_path, routes_=dict(ECHO)) as place:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(place.path))
            client.sendall(request("/echo", b"x"))
            assert b"Connection: close" not in client.recv(1_000)
            place.run(lambda: setattr(place.server, "draining", True))
            client.sendall(request("/echo", b"x") * 2)
            found = b"".join(iter(lambda: client.recv(1_000), b""))
        assert statuses(found) == [200, 200]  # all that came together
        assert found.count(b"Connection: close") == 1


def test_a_client_that_reads_no_answers_is_read_no_more(tmp_path: Path) -> None:
    table = {(b"POST", b"/echo"): lambda _: Reply(200, b"x" * 10_000)}
    with served(tmp_path, routes_=table) as place:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(STILL_S)
            client.connect(str(place.path))
            sent = 0
            try:
                while sent < 100_000_000:
                    sent += client.send(request("/echo") * 100)
            except TimeoutError:
                pass
            assert sent < 10_000_000
        assert statuses(place.talk(request("/echo"))) == [200]


def _mutated(chance: random.Random, octets: bytes) -> bytes:
    made = bytearray(octets)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(made)) if made else 0
        match chance.randrange(5):
            case 0 if made:
                made[at] = chance.randrange(256)
            case 1:
                made[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 2:
                del made[at : at + chance.randrange(1, 9)]
            case 3:
                made[at:at] = chance.choice(
                    [b"\r\n", b"\r\n\r\n", b"0\r\n", b"\0", b'"', b"{", b"\xed\xa0\x80", b"\\ud800"]
                )
            case _:
                made += made[at : at + 40]
    return bytes(made)


@pytest.mark.parametrize("seed", range(4))
def test_of_five_thousand_hostile_requests_none_crashes_and_each_is_answered(
    tmp_path: Path, seed: int
) -> None:
    """The well-formed request behind each hostile one, on a connection of its own, is answered."""
    chance = random.Random(seed)
    made = desk()
    made.hold()
    good = question(**FLOOD)
    wholes = [
        request(body=good),
        request("/v1/submit/bulk", b'{"messages":[' + good + b"]}"),
        request("/v1/report", good),
        b"POST /v1/submit HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ]
    bodies = 0
    with served(tmp_path, made.gate) as place:
        for n in range(5_000):
            if n % 2:  # hostile in its body, so that it is a request: it is answered in every case
                body = _mutated(chance, good)
                octets = request(chance.choice(["/v1/submit", "/v1/report"]), body, "POST", CLOSE)
                found = answers(place.talk(octets))
                assert len(found) == 1, octets
                assert json.loads(found[0][1])["ruling"] in ("pass", "refuse")
                bodies += found[0][0] == 200
            else:
                place.talk(_mutated(chance, chance.choice(wholes)))
        assert statuses(place.talk(request(body=good))) == [200]
        assert place.run(lambda: len(place.server.connections)) <= 1
    assert bodies > 50
    assert made.counted("gate_failures_total") == 0


def test_it_answers_at_once_while_others_hold_half_a_request(tmp_path: Path) -> None:
    with served(tmp_path, routes_=dict(ECHO)) as place:
        held = []
        for _ in range(20):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(place.path))
            client.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")
            held.append(client)
        assert statuses(place.talk(request("/echo", b"x"))) == [200]
        for client in held:
            client.close()


def test_a_header_without_an_end_is_not_kept(tmp_path: Path) -> None:
    """Else one client fills the memory within the seconds that a request may take."""
    for begin in (b"POST /echo HTTP/1.1\r\nA: ", b"POST /echo HTTP/1.1\r\n", b"POST /"):
        with served(tmp_path, routes_=dict(ECHO)) as place, socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(place.path))
            sent = 0
            with suppress(OSError):
                client.sendall(begin)
                while sent < 50_000_000:
                    sent += client.send(b"a" * 65_536)
            assert sent < 2_000_000
            with suppress(ConnectionResetError):
                assert client.recv(1_000)[9:12] in (b"431", b"414")


CHUNKED = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("begin", [b"0\r\nA: ", b"0\r\n", b"2;a=", b"2\r\nhi\r\n0;a="])
def test_what_is_neither_head_nor_body_is_bounded_as_a_head_is(begin: bytes) -> None:
    """The parser joins what it has of a header with each piece: the work would be its square."""
    server = Server(dict(ECHO), Limits(9, 30, b"t", b"failed"), lambda _: None, lambda: None)
    pieces = 2 + HEAD_BYTES_MAX // http.SLICE_BYTES
    written, closed = talked(server, CHUNKED + begin, *[b"a" * http.SLICE_BYTES] * pieces)
    assert (written[9:12], closed) == (b"431", True)


def test_lines_around_a_body_that_come_each_by_itself_are_read() -> None:
    head = CHUNKED.replace(b"\r\n", b"\r\nA: " + b"a" * (HEAD_BYTES_MAX - 99) + b"\r\n", 1)
    lines = [b"1\r\n", b"x", b"\r\n"] * 9_000
    server = Server(dict(ECHO), Limits(9, 9_000, b"", b"failed"), lambda _: None, lambda: None)
    octets = [head[n : n + 1] for n in range(len(head))]
    written, closed = talked(server, *octets, *lines, b"0\r\n", b"B: c\r\n", b"\r\n")
    assert (answers(written), closed) == ([(200, b"x" * 9_000)], False)


def test_many_requests_in_one_piece_let_others_be_answered_between(tmp_path: Path) -> None:
    order: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as other:

        def echo(body: bytes) -> Reply:
            order.append(body)
            if len(order) == 50:
                other.sendall(request("/echo", b"other"))
            return Reply(200, body)

        with served(tmp_path, routes_={(b"POST", b"/echo"): echo}) as place:
            for client in (first, other):
                client.settimeout(60)
                client.connect(str(place.path))
                client.sendall(request("/echo", b"hello"))
                client.recv(1_000)
            many = request("/echo", b"first") * 3_000
            writer = threading.Thread(target=first.sendall, args=(many,))
            writer.start()
            found = b""
            while found.count(b"first") < 3_000:
                found += first.recv(65_536)
            writer.join()
            assert statuses(found) == [200] * 3_000
            assert b"other" in other.recv(1_000)
    assert order.index(b"other") < 400


def test_small_requests_for_large_answers_fill_no_memory(tmp_path: Path) -> None:
    """A client that reads nothing is owed no more than one piece of what it sends asks for."""
    table = {(b"GET", b"/"): lambda _: Reply(200, b"x" * 8_000)}
    with (
        served(tmp_path, routes_=table) as place,
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.settimeout(STILL_S)
        client.connect(str(place.path))
        with suppress(TimeoutError):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100_000)
        owed = place.run(
            lambda: sum(c._transport.get_write_buffer_size() for c in place.server.connections)
        )
        assert 0 < owed < 8_000_000
        client.setblocking(True)
        client.settimeout(60)
        client.shutdown(socket.SHUT_WR)
        found = b"".join(iter(lambda: client.recv(1_000_000), b""))  # and then it is all answered
    assert found.count(b"HTTP/1.1 200 OK") > 1_000
    assert len(found) % (len(found) // found.count(b"HTTP/1.1 200 OK")) == 0


def test_a_client_that_was_told_to_go_and_does_not_read_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PARTIAL_S", 0.2)
    monkeypatch.setattr(http, "SWEEP_S", 0.05)
    table = {(b"POST", b"/echo"): lambda _: Reply(200, b"x" * 5_000_000)}
    with served(tmp_path, routes_=table) as place, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place.path))
        client.sendall(request("/echo", b"", "POST", CLOSE))
        wait_until(lambda: place.run(lambda: len(place.server.connections)) == 1, "it is there")
        wait_until(lambda: not place.run(lambda: len(place.server.connections)), "it is gone")


def test_other_forms_of_a_request_are_answered_as_http_says(tmp_path: Path) -> None:
    table = {**ECHO, (b"GET", b"/state"): lambda _: Reply(200, b"ready")}
    with served(tmp_path, routes_=table) as place:
        head = place.talk(request("/state", method="HEAD") + request("/echo", b"x"))
        first, second, body = head.split(b"\r\n\r\n")
        assert (first[9:12], second[9:12], body) == (b"200", b"200", b"x")
        assert b"Content-Length: 5" in first
        wrong = place.talk(request("/echo", method="HEAD") + request("/echo", b"x"))
        assert [each[9:12] for each in wrong.split(b"\r\n\r\n")[:2]] == [b"405", b"200"]
        assert wrong.endswith(b"\r\n\r\nx")
        assert b"Allow: POST\r\n" in place.talk(request("/echo", method="PUT"))
        assert b"Allow: GET, HEAD\r\n" in place.talk(request("/state", method="PUT"))
        for url in ("http://gate:9080/echo", "http://gate/echo?x=1"):  # RFC 9112, 3.2.2
            assert answers(place.talk(request(url, b"x"))) == [(200, b"x")]
        for url in ("http://gate", "http://[::1", "http://", "*"):
            [(status, _)] = answers(place.talk(request(url, b"x", "OPTIONS")))
            assert status in (400, 404, 405)
        old = b"POST /echo HTTP/1.0\r\nContent-Length: 1\r\n%b\r\nx"
        kept = place.talk(old % b"Connection: keep-alive\r\n" + request("/echo", b"y"))
        assert statuses(kept) == [200, 200]
        assert b"Connection: keep-alive\r\n" in kept  # else such a client waits for our end
        assert b"Connection: close\r\n" in place.talk(old % b"")


def test_a_client_that_is_gone_leaves_nothing_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = {(b"GET", b"/"): lambda _: Reply(200, b"x" * 8_000)}
    with served(tmp_path, routes_=table) as place:
        for n in range(30):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(place.path))
                client.setblocking(False)
                with suppress(OSError):  # as much as there is room for
                    client.sendall(b"GET / HTTP/1.1\r\n\r\n" * 500 * n)
        wait_until(lambda: not place.run(lambda: len(place.server.connections)), "all are gone")
        assert place.talk(b"GET / HTTP/1.1\r\n\r\n")[9:12] == b"200"
    assert [each for each in caplog.records if not each.name.startswith("kafka")] == []


def test_what_reaches_nobody_is_counted_with_what_cannot_be_read(tmp_path: Path) -> None:
    """A gateway whose token is wrong lets everything pass: its gate's metrics say so."""
    made = desk()
    with served(tmp_path, made.gate, token=b"secret") as place:
        right = ("POST", "Authorization: Bearer secret")
        for octets in (
            request("/v1/submit", question(**FLOOD)),
            request("/v2/submit", question(**FLOOD), *right),
            b"nonsense\r\n\r\n",
            request("/v1/submit", b"nonsense", *right),
        ):
            place.talk(octets)
        assert made.counted("gate_answers_total", why="unreadable") == 4


def bulk(count: int, first: int = 0) -> bytes:
    messages = [{"recipient": VICTIM, "message_id": f"b{first + n}", **FLOOD} for n in range(count)]
    return request("/v1/submit/bulk", json.dumps({"messages": messages}).encode())


def test_others_are_answered_between_the_messages_of_a_bulk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred codes in words that were never met take ten times what a client waits."""
    monkeypatch.setattr(http, "TURN_S", 0.0, raising=False)
    made = desk()
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as other:
        publish = made.gate._publish

        def ask_between(key: bytes, value: bytes) -> None:
            publish(key, value)
            if len(made.events) == 10:
                other.sendall(request(body=question(**{**FLOOD, "message_id": "other"})))

        made.gate._publish = ask_between
        with served(tmp_path, made.gate) as place:
            for client in (first, other):
                client.settimeout(60)
                client.connect(str(place.path))
                client.sendall(request("/v1/ready", b"", "GET"))
                client.recv(1_000)
            first.sendall(bulk(200))
            assert other.recv(1_000)[9:12] == b"200"
            found = b""
            while statuses(found) != [200]:
                found += first.recv(65_536)
    told = [value["message_id"] for value in made.values()]
    assert [each for each in told if each != "other"] == [f"b{n}" for n in range(200)]
    assert 10 <= told.index("other") < 20


@pytest.mark.parametrize("turn_s", [0.0, 60.0])
def test_what_comes_behind_a_bulk_is_answered_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn_s: float
) -> None:
    monkeypatch.setattr(http, "TURN_S", turn_s, raising=False)
    one = request(body=question(**{**FLOOD, "message_id": "one"}))
    slow = request("/v1/submit", question(**FLOOD), "POST", "Expect: 100-continue")
    last = request("/v1/submit", question(**FLOOD), "POST", CLOSE)
    made = desk()
    with served(tmp_path, made.gate) as place:
        for _ in range(2):  # its head is unknown, then known
            del made.events[:]
            found = place.talk(bulk(3) + one + bulk(3, 3) + request("/nowhere") + one)
            assert statuses(found) == [200, 200, 200, 404, 200]
            told = [value["message_id"] for value in made.values()]
            assert told == ["b0", "b1", "b2", "one", "b3", "b4", "b5", "one"]
            assert [len(json.loads(body).get("answers", "")) for _, body in answers(found)] == [
                3, 0, 3, 0, 0,
            ]  # fmt: skip
        assert statuses(place.talk(bulk(3) + b"nonsense\r\n\r\n")) == [200, 400]
        assert statuses(place.talk(bulk(3) + last + one)) == [200, 200]
        found = place.talk(bulk(3) + slow)
        assert found.index(b"answers") < found.index(b"HTTP/1.1 100")
        assert statuses(place.talk(bulk(3) * 40 + one)) == [200] * 41
        assert statuses(place.talk(bulk(3), one, one)) == [200] * 3


def test_a_bulk_ends_with_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TURN_S", 0.0, raising=False)
    made = desk()
    publish = made.gate._publish

    def goes(key: bytes, value: bytes) -> None:
        publish(key, value)
        if len(made.events) == 10:
            next(iter(place.server.connections)).cut()

    made.gate._publish = goes
    with served(tmp_path, made.gate) as place:
        with suppress(ConnectionResetError):
            assert place.talk(bulk(200)) == b""
        assert statuses(place.talk(request(body=question(**FLOOD)))) == [200]
    assert len(made.events) == 11


def test_an_answer_that_fails_between_its_turns_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TURN_S", 0.0, raising=False)

    def steps(body: bytes) -> Turns:
        yield
        yield
        return fails(body)

    with served(tmp_path, routes_={**ECHO, (b"POST", b"/steps"): steps}) as place:
        both = request("/steps", b"x") + request("/echo", b"x")
        for _ in range(2):
            assert statuses(place.talk(both)) == [500, 200]
