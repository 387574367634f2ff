"""Replay of files: the same chain, wherever chunks end, and in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from itertools import chain, islice
from pathlib import Path

import pytest

from detectors.model.event import TICK_OFFSETS
from streams.cases.log_replay import CHUNK_BYTES, chunks_of, outputs, replay
from streams.cli.shared import open_lines
from streams.config import Settings
from streams.tools.scenarios import generate
from streams.wire import Outcome, RejectReason

SETTINGS = Settings()
TOPIC = SETTINGS.topics.episode


@pytest.fixture(scope="module")
def incident() -> list[bytes]:
    return [json.dumps(each.value, ensure_ascii=False).encode() for each in generate("A1", 3)]


def in_chunks(lines: list[bytes], size: int) -> list[list[bytes]]:
    return [lines[at : at + size] for at in range(0, len(lines), size)]


def replayed(lines: list[bytes], size: int, topic: str | None = TOPIC) -> list[bytes]:
    steps = replay(SETTINGS, in_chunks(lines, size))
    return list(chain.from_iterable(outputs(step, topic) for step in steps))


def test_where_chunks_end_makes_no_difference(incident: list[bytes]) -> None:
    whole = replayed(incident, len(incident))
    assert any(b'"topic"' in line for line in whole)
    assert any(b'"action_id"' in line for line in whole)
    for size in (1, 7, 50):
        assert replayed(incident, size) == whole


def test_offsets_are_line_numbers_and_go_on_over_files(incident: list[bytes]) -> None:
    first, *_ = replayed(incident, 1000, None)
    action = json.loads(first)
    at = action["cause"]["offset"]
    assert action["cause"] == {"topic": "sms.delivery.v1", "partition": 0, "offset": at}
    assert json.loads(incident[at])["event_time_ms"] == action["issued_at_ms"]


def test_actions_are_the_same_with_and_without_episodes(incident: list[bytes]) -> None:
    with_episodes = [line for line in replayed(incident, 9) if b'{"topic"' not in line[:9]]
    assert with_episodes == replayed(incident, 9, None)


def test_an_episode_is_marked_by_its_topic(incident: list[bytes]) -> None:
    marked = [json.loads(line) for line in replayed(incident, 9) if line.startswith(b'{"topic"')]
    assert {record["topic"] for record in marked} == {TOPIC}
    assert [record["change"] for record in marked][:2] == ["opened", "raised"]


def test_poison_is_refused_and_its_neighbours_decide_as_before(incident: list[bytes]) -> None:
    poisoned = list(incident)
    poison = [b"", b"null", b"{", b"x" * 900_000]
    poisoned[12:12] = poison
    steps = list(replay(SETTINGS, in_chunks(poisoned, 5)))
    rejects = [reject for step in steps for reject in step.decoded.rejects]
    assert [reject.offset for reject in rejects] == [12, 13, 14, 15]
    assert [reject.reason for reject in rejects][3] is RejectReason.TOO_LARGE
    counted = sum(step.decoded.outcomes[Outcome.COUNTED] for step in steps)
    assert counted == len(incident)
    actions = [action for step in steps for action in step.decisions.actions]
    clean = [action for s in replay(SETTINGS, [incident]) for action in s.decisions.actions]
    assert [action.cause.offset for action in actions] == [
        action.cause.offset + len(poison) for action in clean
    ]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_lines_are_found_wherever_a_read_ends(ending: bytes) -> None:
    lines = [f'{{"n":{n}}}'.encode() for n in range(1000)]
    for last in (b"", ending):

        class Trickle(io.BytesIO):
            def read(self, _size: int | None = -1) -> bytes:
                return super().read(7)

        found = chain.from_iterable(chunks_of(Trickle(ending.join(lines) + last), 1000))
        assert [json.loads(line) for line in found] == [{"n": n} for n in range(1000)]


def test_a_file_without_line_ends_does_not_fill_the_memory() -> None:
    class Endless(io.RawIOBase):
        left = 40

        def read(self, _size: int = -1) -> bytes:
            self.left -= 1
            return b"x" * CHUNK_BYTES if self.left >= 0 else b""

    tracemalloc.start()
    found = list(chain.from_iterable(chunks_of(Endless(), 65_536)))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(line) for line in found] == [65_537]
    assert peak < 4 * CHUNK_BYTES


def test_packed_files_are_unpacked(tmp_path: Path, incident: list[bytes]) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(incident)))
    with open_lines(str(path)) as file:
        assert list(islice(chain.from_iterable(chunks_of(file, 10**6)), 5)) == incident[:5]


def test_event_time_is_judged_against_the_time_of_ingestion_if_there_is_one() -> None:
    event = next(iter(generate("A1", 3))).value
    taken_ms = event["event_time_ms"] - 300_001
    ahead = event | {"ingest_time_ms": taken_ms}
    lines = [json.dumps(each).encode() for each in (event, ahead)]
    (step,) = replay(SETTINGS, [lines])
    assert step.decoded.batch.event_time_ms.tolist() == [event["event_time_ms"], taken_ms]


@pytest.mark.parametrize("ahead_ms", [57 * 60_000, 30 * 86_400_000])
def test_a_flood_by_a_gateway_whose_clock_is_ahead_is_throttled_as_by_one_that_is_right(
    ahead_ms: int,
) -> None:
    """And its lease is of the log's time: it does not outlive the flood by the clock's error."""
    right = [event.value for event in generate("A1", 3)]
    lines = [json.dumps(each).encode() for each in right]
    fast = [
        json.dumps(
            each | {"event_time_ms": each["event_time_ms"] + ahead_ms,
                    "ingest_time_ms": each["event_time_ms"]}
        ).encode()
        for each in right
    ]  # fmt: skip

    def decided(values: list[bytes]) -> list[tuple[str, str, int, int]]:
        return [
            (each.recipient, each.verb, each.issued_at_ms, each.expires_at_ms)
            for step in replay(SETTINGS, [values])
            for each in step.decisions.actions
        ]

    assert any(verb == "throttle" for _, verb, *_ in decided(lines))
    assert decided(fast) == decided(lines)


def test_a_line_a_year_ahead_of_the_file_is_refused_by_its_own_reason() -> None:
    event = next(iter(generate("A1", 3))).value
    at_ms = event["event_time_ms"]
    lines = [
        json.dumps(event | {"event_time_ms": at_ms + i * 10, "message_id": str(i)}).encode()
        for i in range(TICK_OFFSETS + 50)
    ]
    lines[-10] = json.dumps(event | {"event_time_ms": at_ms + 365 * 86_400_000}).encode()
    for size in (len(lines), 100):
        rejects = [
            reject
            for step in replay(SETTINGS, in_chunks(lines, size))
            for reject in step.decoded.rejects
        ]
        assert [(r.offset, r.reason) for r in rejects] == [
            (len(lines) - 10, RejectReason.AHEAD_OF_LOG)
        ]
