"""The queue on disk: in order, whole, bounded, and the next process's when one dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from detectors.model.event import Trust
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import Recogniser
from streams.gateways.gate import spool as spool_
from streams.gateways.gate.contract import QUESTION_BYTES_MAX, question
from streams.gateways.gate.gate_events import EventReading, Reporter
from streams.gateways.gate.spool import Spool, TakenBatch

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


class Losses(Counter[str]):
    """Counts what a spool loses."""

    def __call__(self, loss: str, events: int) -> None:
        self[loss] += events


def made(folder: Path, bytes_max: int = 64 * MB, age_max_ms: int = 3_600_000) -> Spool:
    folder.mkdir(exist_ok=True)
    return Spool(folder, bytes_max, age_max_ms, Losses())


def lost(spool: Spool) -> dict[str, int]:
    assert isinstance(spool.lose, Losses)
    return dict(spool.lose)


def pairs(count: int, first: int = 0, size: int = 100) -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % n, b"%0*d" % (size, n)) for n in range(first, first + count)]


def all_of(spool: Spool) -> Iterator[tuple[TakenBatch, tuple[bytes, bytes]]]:
    while taken := spool.take():
        yield from taken


def values(spool: Spool) -> list[int]:
    return [int(pair[1]) for _, pair in all_of(spool)]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.events"))


def crashed(folder: Path, target: Path) -> Path:
    """Copy the files of a living spool, as a `kill -9` at this moment would leave them."""
    shutil.copytree(folder, target)
    return target


def dead(folder: Path, count: int, first: int = 0) -> None:
    """Leave events of a process that ended."""
    spool = made(folder)
    spool.append(pairs(count, first), 0)
    spool.close()


def test_events_come_out_in_order_and_leave_the_disk_when_kafka_has_them(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(10), 0)
    spool.append(pairs(10, 10), 10)
    taken = list(all_of(spool))
    assert [pair for _, pair in taken] == pairs(20)
    assert spool.waiting() == 20
    for batch, _ in taken[:10]:
        spool.acknowledge(batch)
    spool.trim(2_000)
    assert (spool.waiting(), spool.size(), spool.oldest_ms) == (10, 10 * 103, 10)
    for batch, _ in taken[10:]:
        spool.acknowledge(batch)
    spool.trim(2_000)
    assert (spool.waiting(), spool.size(), spool.oldest_ms) == (0, 0, None)
    spool.close()
    assert list(folder.iterdir()) == []


def test_a_batch_that_is_written_behind_what_waits_waits_its_turn(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(10), 0)
    spool.append(pairs(5, 10), 0)
    assert [int(value) for _, (_, value) in spool.take()] == list(range(10))
    spool.append(pairs(5, 15), 0)
    assert values(spool) == list(range(10, 20))
    assert spool.take() == []


def test_a_process_that_is_killed_leaves_every_event_it_wrote(folder: Path) -> None:
    folder.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from streams.gateways.gate.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), 1 << 26, 3_600_000)\n"
        "for n in range(300):\n"
        "    spool.append([(b'k', b'%d' % each) for each in range(10 * n, 10 * n + 10)], 0)\n"
        "    for batch, _ in spool.take() if n < 100 else ():\n"
        "        spool.acknowledge(batch)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert ended.returncode == -signal.SIGKILL
    heir = made(folder)
    # the last batch that Kafka had was not deleted yet: at least once
    assert heir.adopt() in (2_000, 2_010)
    found = values(heir)
    assert found == list(range(3_000 - len(found), 3_000))


def test_what_kafka_has_of_a_batch_only_in_part_is_sent_again(folder: Path, tmp_path: Path) -> None:
    spool = made(folder)
    for n in range(3):
        spool.append(pairs(5, 5 * n), 0)
    taken = list(all_of(spool))
    for batch, _ in taken[:9]:
        spool.acknowledge(batch)
    spool.trim(0)
    heir = made(crashed(folder, tmp_path / "copy"))
    assert heir.adopt() == 10
    assert values(heir) == list(range(5, 15))


def test_files_are_begun_anew_by_size_and_go_when_kafka_has_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_, "FILE_BYTES", 5_000)
    spool = made(folder)
    for n in range(10):
        spool.append(pairs(60, 60 * n), 0)
    assert len(files(folder)) == 10
    taken = list(all_of(spool))
    assert [int(pair[1]) for _, pair in taken] == list(range(600))
    for batch, _ in taken[:300]:
        spool.acknowledge(batch)
    spool.trim(0)
    assert len(files(folder)) == 5
    heir = made(crashed(folder, folder.with_name("copy")))
    assert heir.adopt() == 300
    assert values(heir) == list(range(300, 600))


def test_what_is_written_and_acknowledged_for_long_needs_no_more_of_the_disk(folder: Path) -> None:
    spool = made(folder)
    for n in range(2_000):
        spool.append(pairs(100, 100 * n), n)
        for batch, _ in spool.take():
            spool.acknowledge(batch)
        spool.trim(n)
    assert lost(spool) == {}
    assert sum(each.stat().st_size for each in folder.iterdir()) < 6 * MB  # of 20 MB


@pytest.mark.parametrize("by", ["bytes", "age"])
def test_past_a_bound_the_oldest_go_and_are_counted(folder: Path, by: str) -> None:
    spool = made(folder, 50_000 if by == "bytes" else MB, 10_000)
    for n in range(20):
        spool.append(pairs(100, 100 * n), 1_000 * n if by == "age" else 0)
    spool.trim(19_000 if by == "age" else 0)
    assert spool.size() <= 50_000 or by == "age"
    left = values(spool)
    assert left == list(range(2_000 - len(left), 2_000))
    assert len(left) == (400 if by == "bytes" else 1_100)
    assert lost(spool) == {"spool_full": 2_000 - len(left)}


def test_what_kafka_has_of_a_batch_that_is_given_up_is_not_lost(folder: Path) -> None:
    spool = made(folder, age_max_ms=1_000)
    spool.append(pairs(4), 0)
    spool.append(pairs(6, 4), 0)
    taken = spool.take()
    spool.trim(5_000)
    assert lost(spool) == {"spool_full": 6}
    assert (spool.waiting(), spool.outstanding(), spool.size()) == (0, 0, 0)
    for batch, _ in taken:
        spool.acknowledge(batch)
    assert (spool.waiting(), spool.size(), spool.take()) == (0, 0, [])


def test_the_next_process_sends_what_one_that_died_has_left_before_its_own(folder: Path) -> None:
    dead(folder, 30)
    heir = made(folder)
    heir.append(pairs(5, 30), 100)
    assert heir.adopt() == 30
    assert heir.adopt() == 0
    taken = list(all_of(heir))
    assert [int(pair[1]) for _, pair in taken] == list(range(35))
    for batch, _ in taken:
        heir.acknowledge(batch)
    heir.trim(9_000)
    assert len(files(folder)) == 1  # its own
    heir.close()
    assert list(folder.iterdir()) == []


def test_the_files_of_two_that_died_are_sent_in_their_order(folder: Path) -> None:
    dead(folder, 5)
    dead(folder, 5, 5)
    heir = made(folder)
    assert heir.adopt() == 10
    assert values(heir) == list(range(10))


def test_what_a_living_process_has_is_nobody_else_s(folder: Path) -> None:
    living, other = made(folder), made(folder)
    living.append(pairs(3), 0)
    other.append(pairs(3, 3), 0)
    assert other.adopt() == 0
    assert (values(living), values(other)) == ([0, 1, 2], [3, 4, 5])
    assert lost(other) == {}


@settings(max_examples=25)  # each syncs the disk
@given(st.integers(0, 60_000), st.binary(max_size=40))
def test_an_end_that_a_crash_tore_costs_its_own_batches_alone(cut: int, rubbish: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        living = made(Path(name) / "spool")
        for n in range(11):
            living.append(pairs(10, 10 * n), 0)
            if not n:  # the log begins behind it
                living.stores[0].db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy = crashed(living.folder, Path(name) / "copy")
        [log] = copy.glob("*-wal")
        whole = log.read_bytes()
        log.write_bytes(whole[: max(0, len(whole) - cut)] + rubbish)
        heir = made(copy)
        heir.adopt()
        found = values(heir)
        assert found == list(range(len(found)))
        assert len(found) % 10 == 0
        assert len(found) == 110 or cut
        assert len(found) >= 10
        heir.append(pairs(1), 0)
        heir.close()
        living.close()


def test_a_disk_that_is_full_leaves_no_half_of_a_batch(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(5), 0)
    [store] = spool.stores
    [(pages,)] = store.db.execute("PRAGMA page_count")
    store.db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(OSError, match="full"):
        spool.append(pairs(500, 100), 0)
    spool.append(pairs(5, 5), 0)
    assert values(spool) == list(range(10))
    assert lost(spool) == {}


def test_bytes_that_the_disk_changed_are_passed_over_not_waited_for(folder: Path) -> None:
    spool = made(folder)
    for n in range(3):
        spool.append(pairs(5, 5 * n), 0)
    spool.close()
    [file] = files(folder)
    octets = file.read_bytes()
    file.write_bytes(octets.replace(b"%0*d" % (100, 7), b"%0*d" % (100, 8)))
    heir = made(folder)
    assert heir.adopt() == 15
    taken = list(all_of(heir))
    assert [int(pair[1]) for _, pair in taken] == [*range(5), *range(10, 15)]
    assert lost(heir) == {"disk_failed": 5}
    for batch, _ in taken:
        heir.acknowledge(batch)
    assert (heir.waiting(), heir.size()) == (0, 0)


def test_a_file_that_is_damaged_is_given_up_alone(folder: Path) -> None:
    dead(folder, 2_000)
    dead(folder, 5, 2_000)
    heir = made(folder)
    assert heir.adopt() == 2_005
    bad = files(folder)[0]
    octets = bytearray(bad.read_bytes())
    octets[4096:] = os.urandom(len(octets) - 4096)
    bad.write_bytes(octets)
    for store in heir.stores:
        store.db.execute("PRAGMA shrink_memory")  # nothing comes from the cache
    with suppress(OSError):
        heir.take()
    assert lost(heir) == {"disk_failed": 2_000}
    assert values(heir) == list(range(2_000, 2_005))
    heir.append(pairs(5), 0)
    assert values(heir) == list(range(5))
    assert bad not in files(folder)


def test_a_process_that_ends_leaves_what_is_not_sent_and_nothing_else(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(5), 0)
    spool.close()
    assert len(files(folder)) == len(list(folder.iterdir())) == 1
    heir = made(folder)
    assert heir.adopt() == 5
    for batch, _ in list(all_of(heir)):
        heir.acknowledge(batch)
    heir.close()
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_taken_away_is_made_anew_and_the_queue_goes_on(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(5), 0)
    shutil.rmtree(folder)
    spool.append(pairs(5, 5), 1_000)
    assert len(files(folder)) == 1
    taken = list(all_of(spool))
    assert [int(pair[1]) for _, pair in taken] == list(range(10))
    for batch, _ in taken:
        spool.acknowledge(batch)
    spool.trim(2_000)
    spool.close()
    assert list(folder.iterdir()) == []


def test_a_file_that_cannot_be_made_leaves_nothing_and_is_made_when_it_can(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = made(folder)
    with monkeypatch.context() as patch:
        patch.setattr(spool_, "_OPEN", "PRAGMA max_page_count = 1; CREATE TABLE t (a); " * 2)
        for _ in range(3):
            with pytest.raises(OSError, match=r"full|exists"):
                spool.append(pairs(5), 0)
        assert list(folder.iterdir()) == []
    spool.append(pairs(5), 0)
    assert values(spool) == list(range(5))


def test_the_file_is_readable_by_its_owner_alone(folder: Path) -> None:
    spool = made(folder)
    spool.append(pairs(5), 0)
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}


def test_what_else_lies_in_the_folder_costs_nothing_of_what_waits(
    folder: Path, tmp_path: Path
) -> None:
    dead(folder, 5)
    (folder / "0-note.txt").write_text("not ours")
    (folder / "1-elsewhere.events").symlink_to(tmp_path / "nowhere")
    (folder / "2.events").mkdir()
    (folder / "3.events").write_bytes(b"OTPGUARD SPOOL 9\n" + b"\xff" * 500)
    (tmp_path / "outside.events").write_bytes(b"not ours")
    (folder / "4-link.events").symlink_to(tmp_path / "outside.events")
    heir = made(folder)
    assert [heir.adopt(), heir.adopt()] == [5, 0]
    assert values(heir) == list(range(5))
    assert lost(heir) == {"disk_failed": 1}  # of the file that is none of SQLite
    assert (tmp_path / "outside.events").read_bytes() == b"not ours"
    heir.append(pairs(5, 5), 0)
    assert values(heir) == list(range(5, 10))


def test_a_file_that_cannot_be_opened_for_now_is_not_lost_and_adopted_when_it_can(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(folder, 5)
    heir = made(folder)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patch:
        patch.setattr(spool_, "_OPEN", "SELECT nothing FROM nowhere")
        assert [heir.adopt(), heir.adopt()] == [0, 0]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert lost(heir) == {}
    assert heir.adopt() == 5
    assert values(heir) == list(range(5))


@settings(max_examples=15)  # each syncs the disk
@given(st.lists(st.integers(0, 300) | st.just(5 * MB), min_size=1, max_size=4))
def test_what_was_appended_is_read_back_whatever_its_size(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        spool = made(Path(name))
        given_ = [(b"k%d" % n, bytes(size)) for n, size in enumerate(sizes)]
        spool.append(given_, 0)
        assert [pair for _, pair in all_of(spool)] == given_
        spool.close()
        heir = made(Path(name))
        assert heir.adopt() == len(given_)
        assert [pair for _, pair in all_of(heir)] == given_
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
    assert lost(spool) == {}
