"""Floods pushed to a bank: of its own customers alone, signed, once by id, tried again, bounded."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from detectors.model.records import Level
from detectors.recognise.platform.registry import Registry
from streams.common.errors import ConfigError, UnavailableError
from streams.config import Settings
from streams.people.notices.channels import Delivery
from streams.people.signal import push
from streams.people.signal.api import Signal
from streams.people.signal.clients import read
from streams.people.signal.lookup import FloodSpan, Lookup
from streams.people.signal.push import (
    FloodEvent,
    Outgoing,
    Pusher,
    SinkNumbers,
    events_of,
    pusher_of,
)
from tests.enforce.records import RECIPIENT, START_MS
from tests.streams.cases.store.filled import FilledStore, ended, fill, flood, opened
from tests.streams.people.signal.parts import Memory, clients_file, signal
from tests.waiting import wait_until

SECRET = "whsec_" + "c2VjcmV0" * 4
STRANGER = "8613900000099"


class Receiver(ThreadingHTTPServer):
    """A bank's sink; answers as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taken)
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    def bodies(self) -> list[dict[str, Any]]:
        """Everything that came, its signature checked."""
        return [Webhook(SECRET).verify(body, headers) for headers, body in self.taken]


class _Taken(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client_lines(folder: Path, port: int, numbers: str = f"+{RECIPIENT}\n") -> list[str]:
    (folder / "secret").write_text(SECRET)
    (folder / "numbers").write_text(numbers)
    return [
        "[bank-1]", f'sink = "http://127.0.0.1:{port}/floods"', "sink_per_minute = 60000",
        f'sink_secret_file = "{folder}/secret"', f'sink_numbers_file = "{folder}/numbers"',
    ]  # fmt: skip


@contextmanager
def pushing(store: FilledStore, memory: Memory, folder: Path, port: int) -> Iterator[Pusher]:
    """A signal whose pusher runs, as the process has it."""
    made = signal(store, memory)
    made.parts.clients.clear()
    made.parts.clients.update(read(clients_file(folder, *client_lines(folder, port)), Registry()))
    pusher = pusher_of(made.parts)
    assert pusher is not None
    pusher._pauses_s = (0.01,)
    loop = asyncio.new_event_loop()
    task = loop.create_task(_until_cancelled(made, pusher))
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        yield pusher
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


async def _until_cancelled(made: Signal, pusher: Pusher) -> None:
    try:
        await pusher.run()
    except asyncio.CancelledError:
        await made.parts.ledger.close()


def test_a_bank_is_told_when_a_customers_flood_begins_and_when_it_ends(
    sink: Receiver, tmp_path: Path
) -> None:
    with closing(opened(tmp_path)) as store:
        memory = Memory()
        record, lease = flood(1)
        other, its_lease = flood(2, recipient=STRANGER)
        watched = flood(3)[0]
        fill(store, record, lease, other, its_lease)
        with pushing(store, memory, tmp_path, sink.server_address[1]):
            wait_until(lambda: len(sink.taken) == 1, "the start is told")
            fill(store, ended(record), ended(other))
            wait_until(lambda: len(memory.records) == 4, "the end is told, and that in the audit")
        assert watched.level is Level.THROTTLE
    start, end = sink.bodies()
    assert (start["specversion"], start["source"]) == ("1.0", push.SOURCE)
    assert (start["type"], end["type"]) == (
        f"{push.TYPE}.flood-started", f"{push.TYPE}.flood-ended")  # fmt: skip
    assert start["data"]["phoneNumber"] == f"+{RECIPIENT}"
    assert set(end["data"]) == {"phoneNumber", "started", "ended"}
    assert start["data"]["started"] == end["data"]["started"]
    for headers, body in sink.taken:
        assert headers["content-type"] == "application/cloudevents+json"
        assert headers["webhook-id"] == json.loads(body)["id"]
        assert STRANGER.encode() not in body
        assert b"sig:" not in body  # no platform: a bank does not learn whom else she uses
    outcomes = [(each.verb, each.outcome, each.detail) for each in memory.records]
    assert outcomes == [
        ("push", "asked", "flood-started"), ("push", "done", "flood-started"),
        ("push", "asked", "flood-ended"), ("push", "done", "flood-ended"),
    ]  # fmt: skip
    assert {each.subject for each in memory.records} == {RECIPIENT}


def test_what_is_not_taken_is_sent_again_by_the_same_id(sink: Receiver, tmp_path: Path) -> None:
    sink.statuses += [503, 500, 429]
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1))
        memory = Memory()
        with pushing(store, memory, tmp_path, sink.server_address[1]):
            wait_until(lambda: len(memory.records) == 2, "it is taken")
    assert len({headers["webhook-id"] for headers, _ in sink.taken}) == 1
    assert len(sink.taken) == 4
    assert [each.outcome for each in memory.records] == ["asked", "done"]


def test_a_refusal_is_final_and_audited(sink: Receiver, tmp_path: Path) -> None:
    sink.statuses += [410]
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1))
        memory = Memory()
        with pushing(store, memory, tmp_path, sink.server_address[1]):
            wait_until(lambda: len(memory.records) == 2, "it is refused")
    assert len(sink.taken) == 1
    assert (memory.records[1].outcome, memory.records[1].reason) == ("failed", "http_410")


def test_without_an_audit_nothing_leaves(sink: Receiver, tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1))
        memory = Memory()
        memory.broken = True
        with pushing(store, memory, tmp_path, sink.server_address[1]) as pusher:
            (each,) = pusher._outgoing
            wait_until(lambda: each.seen and each.waiting.empty(), "it is tried")
            assert sink.taken == []
            memory.broken = False
            wait_until(lambda: sink.taken, "the audit is back")


def test_whatever_a_look_meets_the_next_one_goes_on_and_it_is_told(
    sink: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(push, "LOOK_S", 0.01)
    errors = [ValueError("8613900000001"), TimeoutError(), UnavailableError("away")]
    look = Lookup.changes

    def changes(lookup: Lookup, since_ms: int) -> list[FloodSpan]:
        if errors:
            raise errors.pop(0)
        return look(lookup, since_ms)

    monkeypatch.setattr(Lookup, "changes", changes)
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1))
        memory = Memory()
        with pushing(store, memory, tmp_path, sink.server_address[1]):
            wait_until(lambda: len(memory.records) == 2, "it is told")
    for said in ("ValueError", "TimeoutError", "UnavailableError"):
        assert said in caplog.text
    assert RECIPIENT not in caplog.text


def test_a_sink_that_meets_something_else_is_tried_again(
    sink: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors, send = [ValueError(RECIPIENT)], push.Sink.post

    def broken(to: push.Sink, identity: str, content: bytes) -> Delivery:
        if errors:
            raise errors.pop()
        return send(to, identity, content)

    monkeypatch.setattr(push.Sink, "post", broken)
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1))
        memory = Memory()
        with pushing(store, memory, tmp_path, sink.server_address[1]):
            wait_until(lambda: len(memory.records) == 2, "it is told")
    assert [each.outcome for each in memory.records] == ["asked", "done"]
    assert "ValueError" in caplog.text
    assert RECIPIENT not in caplog.text


def test_a_flood_that_a_bank_does_not_take_keeps_no_other_from_it(
    sink: Receiver, tmp_path: Path
) -> None:
    sink.statuses += [410]
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1), *flood(2))
        memory = Memory()
        with pushing(store, memory, tmp_path, sink.server_address[1]):
            wait_until(lambda: len(memory.records) == 4, "both are tried")
    assert sorted(each.outcome for each in memory.records[1::2]) == ["done", "failed"]


def test_a_client_whose_numbers_meet_something_keeps_no_other_from_being_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first client's numbers raise what nobody expected, with each look; the second is told."""
    with closing(opened(tmp_path)) as store:
        fill(store, *flood(1))
        made = signal(store, Memory())
        made.parts.clients.update(
            read(clients_file(tmp_path, *client_lines(tmp_path, 1)), Registry())
        )
        pusher = pusher_of(made.parts)
        assert pusher is not None
        (second,) = pusher._outgoing
        broken: Any = object()  # it has no `renew`
        pusher._outgoing.insert(0, Outgoing(second.sink, broken))
        asyncio.run(pusher.look())
    assert second.waiting.qsize() == 1
    assert "AttributeError" in caplog.text


def test_a_queue_is_bounded_and_each_event_comes_into_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numbers").write_text("")
    numbers = SinkNumbers(
        tmp_path / "numbers", Settings().intake().numbers, lambda number: (number,)
    )
    outgoing = Outgoing(None, numbers)  # type: ignore[arg-type]
    events = [FloodEvent(f"e{n}", "flood-started", RECIPIENT, START_MS, None) for n in range(1_005)]
    dropped = sum(outgoing.put(event, 0.0) for event in [*events, *events])
    assert (dropped, outgoing.waiting.qsize()) == (5, push.WAITING_MAX)
    assert outgoing.waiting.get_nowait()[1] == events[5]
    monkeypatch.setattr(push, "SEEN_MAX", 3)
    outgoing.put(FloodEvent("more", "flood-started", RECIPIENT, START_MS, None), 0.0)
    assert len(outgoing.seen) == len(events)  # one in, one out


def test_an_event_has_one_id_and_no_number_or_case_in_it() -> None:
    change = FloodSpan(START_MS, START_MS, START_MS + 1, "1:sms.delivery.v1:0:7", RECIPIENT)
    start, end = events_of(change, RECIPIENT)
    (again,) = events_of(replace(change, ended_ms=None), RECIPIENT)
    assert start == again
    assert len({start.event_id, end.event_id}) == 2
    assert RECIPIENT not in start.event_id
    assert change.episode_id not in json.dumps(start.body())


def test_numbers_are_read_anew_and_a_broken_file_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_text(f"+86 139 0000 0001\n\n{STRANGER}\n")
    made = SinkNumbers(
        path, Settings().intake().numbers, lambda number: (number, f"h1:{number[-4:]}")
    )
    assert made.by_form["h1:0001"] == "8613900000001"
    assert made.by_form[STRANGER] == STRANGER
    path.write_text("no number\n")
    made.renew()
    assert STRANGER in made.by_form
    path.write_text("+8613900000001\n")
    made.renew()
    assert STRANGER not in made.by_form
    path.unlink()
    made.renew()
    assert "8613900000001" in made.by_form


def test_a_wrong_file_is_read_once_and_told_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "numbers"
    path.write_text(f"{STRANGER}\n")
    made = SinkNumbers(path, Settings().intake().numbers, lambda number: (number,))
    reads = []
    read = SinkNumbers._read

    def counted(numbers: SinkNumbers) -> dict[str, str]:
        reads.append(numbers)
        return read(numbers)

    monkeypatch.setattr(SinkNumbers, "_read", counted)

    def looks() -> tuple[int, int]:
        """How often five looks read the file, and how many lines they log."""
        before = len(reads), len(caplog.records)
        for _ in range(5):
            made.renew()
        return len(reads) - before[0], len(caplog.records) - before[1]

    assert looks() == (0, 0)
    path.write_text(f"{STRANGER}\nno number\n")
    assert looks() == (1, 1)
    path.write_text(f"{STRANGER}\nno number either\n")
    assert looks() == (1, 1), "another wrong file is told of too"
    path.unlink()
    assert looks() == (1, 1)
    path.write_text("+8613900000001\n")
    assert looks() == (1, 1)
    assert "8613900000001" in made.by_form
    assert STRANGER not in caplog.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "numbers").write_text("x\n"), "no number"),
        (lambda folder: (folder / "numbers").unlink(), "numbers"),
        (lambda folder: (folder / "secret").unlink(), "secret"),
        (lambda folder: (folder / "secret").write_text("whsec_!"), "secret"),
    ],
)
def test_a_sink_that_cannot_be_told_keeps_the_signal_from_starting(
    tmp_path: Path, change: Callable[[Path], object], says: str
) -> None:
    with closing(opened(tmp_path)) as store:
        made = signal(store, Memory())
        made.parts.clients.update(
            read(clients_file(tmp_path, *client_lines(tmp_path, 1)), Registry())
        )
        change(tmp_path)
        with pytest.raises(ConfigError, match=says):
            pusher_of(made.parts)


def test_it_is_off_unless_a_client_has_a_sink(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as store:
        assert pusher_of(signal(store, Memory()).parts) is None
