"""The queue on disk: in order, whole, bounded, and the next process's when one dies."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.model.event import Trust
from detectors.recognise.recogniser import Recogniser
from detectors.recognise.registry import Registry
from streams.gateways.gate import spool as spool_
from streams.gateways.gate.contract import QUESTION_BYTES_MAX, question
from streams.gateways.gate.gate_events import EventReading, Reporter
from streams.gateways.gate.spool import Segment, Spool, SpoolCounts

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def made(folder: Path, bytes_max: int = 64 * MB, age_max_ms: int = 3_600_000) -> Spool:
    folder.mkdir(exist_ok=True)
    return Spool(folder, bytes_max, age_max_ms)


def pairs(count: int, first: int = 0, size: int = 100) -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % n, b"%0*d" % (size, n)) for n in range(first, first + count)]


def all_of(spool: Spool, each: int = 7) -> Iterator[tuple[Segment, tuple[bytes, bytes]]]:
    while taken := spool.take(each):
        yield from taken


def values(spool: Spool) -> list[int]:
    return [int(pair[1]) for _, pair in all_of(spool)]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.events"))


def test_events_come_out_in_order_and_a_file_goes_when_kafka_has_all_of_it(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(10), 0)
    spool.append(pairs(10, 10), 10)
    taken = list(all_of(spool))
    assert [pair for _, pair in taken] == pairs(20)
    assert spool.waiting() == 20
    spool.trim(2_000)
    assert len(files(folder)) == 1
    for segment, _ in taken:
        spool.acknowledge(segment)
    assert (files(folder), spool.waiting(), spool.size()) == ([], 0, 0)


def test_as_many_are_taken_as_there_is_room_for_their_octets(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(10), 0)
    spool.trim(2_000)
    spool.append(pairs(10, 10), 2_000)
    for octets, told in ((1, [0]), (102, [1]), (103, [2, 3]), (102 * 7, list(range(4, 11)))):
        assert [int(value) for _, (_, value) in spool.take(100, octets)] == told
    assert spool.take(100, 0) == []
    assert values(spool) == list(range(11, 20))
    assert spool.counts == SpoolCounts()


def test_what_has_more_octets_than_there_is_room_for_is_written_and_not_passed_on(
    folder: Path,
) -> None:
    spool = made(folder)
    assert spool.pass_on(pairs(10), 0, 10, 10 * 102 - 1) == []
    assert values(spool) == list(range(10))
    assert len(spool.pass_on(pairs(10, 10), 0, 10, 10 * 103)) == 10


def test_what_is_passed_on_at_once_is_on_disk_until_kafka_has_it(folder: Path) -> None:
    spool = made(folder)
    taken = spool.pass_on(pairs(10), 0, 10)
    assert [pair for _, pair in taken] == pairs(10)
    assert spool.take(100) == []
    assert spool.waiting() == 10
    spool.trim(2_000)
    taken += spool.pass_on(pairs(5, 10), 2_000, 5)
    for segment, _ in taken[:9]:
        spool.acknowledge(segment)
    assert len(files(folder)) == 2
    assert spool._home is not None
    os.close(spool._home.lock)  # as an end by force does
    heir = made(folder)
    assert heir.adopt(2_000) == 15  # with those that Kafka has: at least once
    assert values(heir) == list(range(15))


def test_what_comes_past_something_that_waits_or_without_room_waits_its_turn(folder: Path) -> None:
    spool = made(folder)
    assert spool.pass_on(pairs(10), 0, 9) == []
    assert spool.pass_on(pairs(5, 10), 0, 100) == []
    assert [int(value) for _, (_, value) in spool.take(12)] == list(range(12))
    assert spool.pass_on(pairs(5, 15), 0, 100) == []
    assert values(spool) == list(range(12, 20))
    assert [int(value) for _, (_, value) in spool.pass_on(pairs(2, 20), 0, 2)] == [20, 21]


def test_files_are_begun_anew_by_size_and_by_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_, "SEGMENT_BYTES", 5_000)
    spool = made(folder)
    for n in range(10):
        spool.append(pairs(60, 60 * n), 0)
    assert len(files(folder)) == 10
    spool.trim(1_000)
    spool.append(pairs(1, 600), 1_000)
    assert len(files(folder)) == 11
    assert values(spool) == list(range(601))


def test_with_kafka_away_for_long_there_are_few_files_and_few_open(folder: Path) -> None:
    spool = made(folder)
    for second in range(200):
        spool.append(pairs(10, 10 * second), 1_000 * second)
        spool.trim(1_000 * second + 999)
    assert len(files(folder)) < 30
    assert sum(each.fd >= 0 for each in spool.segments) <= 2
    assert values(spool) == list(range(2_000))


@pytest.mark.parametrize("by", ["bytes", "age"])
def test_past_a_bound_the_oldest_go_and_are_counted(
    folder: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_, "SEGMENT_BYTES", 10_000)
    spool = made(folder, 50_000 if by == "bytes" else MB, 10_000)
    for n in range(20):
        spool.append(pairs(100, 100 * n), 1_000 * n if by == "age" else 0)
    spool.trim(19_000 if by == "age" else 0)
    left = values(spool)
    assert left[-1] == 1_999
    assert left == list(range(2_000 - len(left), 2_000))
    assert spool.counts.dropped == 2_000 - len(left) > 0
    assert spool.size() <= 50_000 or by == "age"


def test_what_kafka_has_of_a_file_that_is_given_up_is_not_lost(folder: Path) -> None:
    spool = made(folder, age_max_ms=1_000)
    spool.append(pairs(10), 0)
    taken = spool.take(4)
    spool.trim(5_000)
    assert spool.counts.dropped == 6
    for segment, _ in taken:
        spool.acknowledge(segment)
    assert files(folder) == []


def test_the_next_process_sends_what_one_that_died_has_left_before_its_own(folder: Path) -> None:
    dead = made(folder)
    dead.append(pairs(30), 0)
    for segment, _ in dead.take(10):
        dead.acknowledge(segment)
    assert dead._home is not None
    os.close(dead._home.lock)  # as its end does

    heir = made(folder)
    heir.append(pairs(5, 30), 100)
    assert heir.adopt(100) == 30  # those that are done too: at least once
    taken = list(all_of(heir))
    assert [int(pair[1]) for _, pair in taken] == list(range(35))
    for segment, _ in taken:
        heir.acknowledge(segment)
    heir.trim(9_000)
    assert files(folder) == []
    heir.close()
    assert list(folder.iterdir()) == []


def test_what_a_living_process_has_is_nobody_else_s(folder: Path) -> None:
    living, other = made(folder), made(folder)
    living.append(pairs(3), 0)
    other.append(pairs(3, 3), 0)
    assert other.adopt(0) == 0
    assert (values(living), values(other)) == ([0, 1, 2], [3, 4, 5])


@given(st.integers(0, 2_000), st.binary(max_size=40))
def test_an_end_that_a_crash_tore_costs_its_own_event_alone(cut: int, rubbish: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dead = made(folder)
        dead.append(pairs(10), 0)
        assert dead._home is not None
        os.close(dead._home.lock)
        [file] = files(folder)
        whole = file.read_bytes()
        kept = max(0, len(whole) - cut)
        file.write_bytes(whole[:kept] + rubbish)
        heir = made(folder)
        heir.adopt(0)
        found = [pair for _, pair in all_of(heir)]
        record = len(whole) // 10
        assert found == pairs(kept // record)
        heir.close()


def test_a_disk_that_is_full_leaves_no_half_of_a_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = made(folder)
    spool.append(pairs(5), 0)
    real = os.pwrite

    def full(fd: int, data: bytes, place: int) -> int:
        if len(data) > 50:
            return real(fd, data[:50], place)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            spool.append(pairs(5, 100), 0)
    spool.append(pairs(5, 5), 0)
    assert values(spool) == list(range(10))


def test_bytes_that_the_disk_changed_are_passed_over_not_waited_for(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(10), 0)
    [file] = files(folder)
    spool.trim(2_000)
    spool.append(pairs(5, 10), 2_000)
    octets = bytearray(file.read_bytes())
    octets[300] ^= 0xFF
    file.write_bytes(octets)
    found = values(spool)
    assert found[-5:] == list(range(10, 15))
    assert spool.counts.torn == 15 - len(found) > 0
    assert values(spool) == []


def test_a_process_that_ends_leaves_what_is_not_sent_and_nothing_else(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(5), 0)
    spool.close()
    assert len(files(folder)) == 1
    heir = made(folder)
    assert heir.adopt(0) == 5
    for segment, _ in list(all_of(heir)):
        heir.acknowledge(segment)
    heir.close()
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_taken_away_is_made_anew_and_the_queue_goes_on(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(5), 0)
    spool.trim(2_000)  # closed, so that it is not held by a descriptor
    spool.append(pairs(5, 5), 2_000)
    shutil.rmtree(folder)
    spool.trim(4_000)
    with suppress(FileNotFoundError):
        spool.append(pairs(5, 10), 4_000)
    spool.append(pairs(5, 15), 4_000)
    found = values(spool)
    assert set(found) >= set(range(15, 20))
    assert spool.counts.torn >= 5
    assert spool.counts.torn + len(found) in (15, 20)
    assert spool.waiting() == len(found)
    assert all(each.home.path.is_dir() for each in spool.segments)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOENT])
def test_a_file_that_cannot_be_read_is_lost_alone(
    folder: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = made(folder)
    for n in range(3):
        spool.append(pairs(5, 5 * n), 2_000 * n)
        spool.trim(2_000 * n + 1_000)
    bad, real = files(folder)[1], os.open

    def fails(path: Path, *more: int) -> int:
        if path == bad:
            raise OSError(error, os.strerror(error))
        return real(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fails)
        taken = list(all_of(spool))
    assert [int(pair[1]) for _, pair in taken] == [*range(5), *range(10, 15)]
    assert spool.counts.torn == 5
    for segment, _ in taken:
        spool.acknowledge(segment)
    assert (spool.waiting(), spool.size()) == (0, 0)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EMFILE, errno.EROFS])
def test_a_disk_without_room_for_a_lock_is_a_disk_that_fails_and_is_used_again(
    folder: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, real = made(folder), os.open

    def fails(path: Path, *more: int) -> int:
        if path.name == spool_.LOCK:
            raise OSError(error, os.strerror(error))
        return real(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fails)
        for _ in range(3):
            with pytest.raises(OSError, match=re.escape(os.strerror(error))):
                spool.append(pairs(5), 0)
        assert list(folder.iterdir()) == []
    spool.append(pairs(5), 0)
    assert values(spool) == list(range(5))


def test_a_new_folder_that_another_process_takes_for_a_dead_one_s_is_left_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, other, real = made(folder), made(folder), Path.mkdir

    def made_and_seen(path: Path, *args: Any, **named: Any) -> None:
        real(path, *args, **named)
        if path.parent == folder:
            other.adopt(0)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", made_and_seen)
        with suppress(OSError):
            spool.append(pairs(5), 0)
    spool.append(pairs(5, 5), 0)
    assert values(spool)[-5:] == list(range(5, 10))


def test_what_else_lies_in_the_folder_costs_nothing_of_what_waits(
    folder: Path, tmp_path: Path
) -> None:
    dead = made(folder)
    dead.append(pairs(5), 0)
    assert dead._home is not None
    os.close(dead._home.lock)
    (folder / "0-note.txt").write_text("not ours")
    (folder / "1-elsewhere").symlink_to(tmp_path / "nowhere")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.events").write_bytes(b"not ours")
    (folder / "2-link").symlink_to(tmp_path / "outside")
    (dead._home.path / "a.events").mkdir()
    (dead._home.path / "b.events").symlink_to(tmp_path / "outside" / "1.events")
    (dead._home.path / "c.events").write_bytes(b"OTPGUARD SPOOL 9\n" + b"\xff" * 500)
    heir = made(folder)
    assert heir.adopt(0) == 5
    assert values(heir) == list(range(5))
    assert (tmp_path / "outside" / "1.events").read_bytes() == b"not ours"
    heir.append(pairs(5, 5), 0)
    assert values(heir) == list(range(5, 10))


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EACCES, errno.EROFS])
def test_what_was_taken_before_a_file_that_cannot_be_opened_for_now_is_handed_over(
    folder: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = made(folder)
    for n in range(2):
        spool.append(pairs(5, 5 * n), 2_000 * n)
        spool.trim(2_000 * n + 1_000)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing({files(folder)[1]}, error))
        taken = spool.take(100)
        with pytest.raises(OSError, match=re.escape(os.strerror(error))):
            spool.take(100)
    taken += all_of(spool)
    assert [pair for _, pair in taken] == pairs(10)
    for segment, _ in taken:
        spool.acknowledge(segment)
    assert (spool.waiting(), spool.size(), spool.counts.torn) == (0, 0, 0)


def test_what_was_taken_before_a_file_that_cannot_be_removed_for_now_is_handed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = made(folder)
    for n in range(3):
        spool.append(pairs(5, 5 * n), 2_000 * n)
        spool.trim(2_000 * n + 1_000)
    octets = bytearray(files(folder)[1].read_bytes())
    octets[20] ^= 0xFF
    files(folder)[1].write_bytes(octets)  # nothing of it is whole: it goes at once

    def fails(path: Path, **_: bool) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fails)
        taken = spool.take(100)
    taken += all_of(spool)
    assert [pair for _, pair in taken] == [*pairs(5), *pairs(5, 10)]
    assert spool.counts.torn == 5


def failing(paths: set[Path], error: int) -> Any:
    """`os.open` as it is while these files cannot be opened."""
    real = os.open

    def fails(path: Path, *more: int) -> int:
        if path in paths:
            raise OSError(error, os.strerror(error))
        return real(path, *more)

    return fails


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("count", [1, 2])
def test_a_file_that_cannot_be_opened_for_now_is_not_lost_and_adopted_when_it_can(
    folder: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is its folder's only file, or another one of it was adopted and sent."""
    dead = made(folder)
    for n in range(count):
        dead.append(pairs(5, 5 * n), 2_000 * n)
        dead.trim(2_000 * n + 1_000)
    assert dead._home is not None
    os.close(dead._home.lock)
    heir, before = made(folder), open_files()
    bad = files(folder)[-1]
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing({bad}, errno.EMFILE))
        for _ in range(2):
            heir.adopt(5_000)
            for segment, _ in all_of(heir):
                heir.acknowledge(segment)
    assert (heir.counts.torn, open_files()) == (0, before)
    assert files(folder) == [bad]
    other = made(folder)
    assert other.adopt(5_000) == 5
    assert values(other) == list(range(5 * count - 5, 5 * count))


def test_a_file_that_the_disk_does_not_give_back_is_counted_once_and_leaves_nothing_open(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = made(folder)
    dead.append(pairs(5), 0)
    assert dead._home is not None
    os.close(dead._home.lock)
    heir, before = made(folder), open_files()

    def fails(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fails)
        assert [heir.adopt(0), heir.adopt(0)] == [0, 0]
    assert (heir.counts.torn, open_files()) == (1, before)
    heir.close()
    assert len(files(folder)) == 1


def test_a_folder_in_which_something_else_lies_is_let_go_once(folder: Path) -> None:
    dead = made(folder)
    dead.append([], 0)
    assert dead._home is not None
    os.close(dead._home.lock)
    (dead._home.path / "note.txt").write_text("not ours")
    heir = made(folder)
    assert heir.adopt(0) == 0
    heir.close()


_BOUND = spool_.RECORD_BYTES_MAX


@given(
    st.lists(
        st.one_of(st.integers(0, 300), st.integers(_BOUND - 2, _BOUND + 2)), min_size=1, max_size=4
    ),
    st.booleans(),
)
def test_what_was_appended_is_read_back_whatever_its_size(sizes: list[int], at_once: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spool = made(folder)
        given_ = [(b"k%d" % n, bytes(size)) for n, size in enumerate(sizes)]
        fit = [pair for pair in given_ if len(pair[1]) <= _BOUND]
        if at_once:
            taken = spool.pass_on(given_, 0, 100)
            assert [pair for _, pair in taken] == fit
        else:
            spool.append(given_, 0)
            assert [pair for _, pair in all_of(spool)] == fit
        assert spool.counts.oversize == len(given_) - len(fit)
        assert spool._home is not None
        os.close(spool._home.lock)
        heir = made(folder)
        assert heir.adopt(0) == len(fit)
        assert [pair for _, pair in all_of(heir)] == fit
        assert (spool.counts.torn, heir.counts.torn) == (0, 0)
        heir.close()


def test_the_event_of_the_largest_question_is_read_back_and_so_are_those_behind_it(
    folder: Path,
) -> None:
    """Each octet that is none of UTF-8 becomes three."""
    read = Reporter(Recogniser(Registry.load_shipped()), "smsc-1", "gate@host", "whole")
    head = b'{"recipient": "8613900000001", "message_id": "m1", "text": "'
    body = head + b"\xff" * (QUESTION_BYTES_MAX - len(head) - 2) + b'"}'
    asked = question(body)
    assert asked is not None
    told = EventReading(False, "", Trust.NONE, 0.0, None, None, None)
    value = read.event(asked, "8613900000001", told, 1_760_000_000_000, None)
    assert len(value) > 2 * QUESTION_BYTES_MAX
    spool = made(folder)
    spool.append([(b"8613900000001", value), *pairs(5)], 0)
    assert [pair[1] for _, pair in all_of(spool)] == [value, *(pair[1] for pair in pairs(5))]
    assert spool.counts == SpoolCounts()
