"""A store saved and filled again: every row, no session, and no file that was touched."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from streams.cases.store.backup import _whole, restore, save, saved_ms
from streams.cases.store.migrate import head
from streams.cases.store.roles import DeskRole
from streams.common.errors import UnavailableError, UsageError
from tests.builders.streams.cases.store.backup import people
from tests.builders.streams.cases.store.index_writer import rows
from tests.builders.streams.cases.store.removal import one_of_each
from tests.enforce.records import RECIPIENT
from tests.full_disk import no_room
from tests.harm import damaged
from tests.streams.cases.store.filled import FilledStore, opened

ROOT = Path(__file__).parents[4]


def fresh(tmp_path: Path, name: str) -> FilledStore:
    (tmp_path / name).mkdir()
    return opened(tmp_path / name)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a store with floods and people's work: made once, and copied for each test."""
    folder = tmp_path_factory.mktemp("filled")
    made = opened(folder)
    for n in range(3):
        one_of_each(made, n)
    ann = made.accounts.add("ann", [DeskRole.AGENT], password="correct horse battery")
    made.accounts.begin(ann, "local", "127.0.0.1")
    made.papers.add_note("ann", "呼叫", recipient=RECIPIENT)
    made.papers.propose("ann", "mode", b"\x00\xff", "off", "r", "t")
    made.papers.hold("ann", "x", "d", "r")
    made.close()
    return folder


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> FilledStore:
    copytree(filled, tmp_path / "from")
    return opened(tmp_path / "from")


def test_every_row_comes_back_and_no_session(store: FilledStore, tmp_path: Path) -> None:
    path = tmp_path / "desk.jsonl.gz"
    done = save(store, path, 7)
    assert path.stat().st_mode & 0o777 == 0o600
    other = fresh(tmp_path, "to")
    assert restore(other, path) == done
    assert rows(other) == rows(store)
    wanted = people(store)
    assert wanted.pop("sessions")
    found = people(other)
    assert found.pop("sessions") == []
    assert found == wanted
    assert other.accounts.verify("ann", "correct horse battery") is not None
    assert other.papers.add_note("ann", "next", recipient=RECIPIENT).note_id == 2


def test_people_alone_are_saved_where_topics_make_the_index(
    store: FilledStore, tmp_path: Path
) -> None:
    path = tmp_path / "people.gz"
    assert "cases" not in save(store, path, 7, people_only=True)
    other = fresh(tmp_path, "to")
    restore(other, path)
    assert people(other)["notes"] == people(store)["notes"]
    assert rows(other)["cases"] == []
    assert other.find(RECIPIENT).newest is None


def test_a_store_that_is_not_empty_is_left_alone(store: FilledStore, tmp_path: Path) -> None:
    path = tmp_path / "desk.jsonl.gz"
    save(store, path, 7)
    before = rows(store), people(store)
    with pytest.raises(UsageError, match="not empty"):
        restore(store, path)
    assert (rows(store), people(store)) == before


@pytest.mark.parametrize(
    "harm", ["cut", "damaged", "changed", "letters", "nested", "short", "other", "text", "newer"]
)
def test_a_file_that_is_not_whole_fills_nothing(
    store: FilledStore, tmp_path: Path, harm: str
) -> None:
    path = tmp_path / "desk.jsonl.gz"
    save(store, path, 7)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    match harm:
        case "cut":
            path.write_bytes(path.read_bytes()[:-30])
        case "damaged":
            path.write_bytes(damaged(path.read_bytes()))
        case "letters":
            path.write_bytes(gzip.compress(lines[0] + b'"\xff"\n'))
        case "nested":
            path.write_bytes(gzip.compress(lines[0] + b"[" * 100_000))
        case "changed":
            lines[5] = lines[5].replace(b"1", b"2", 1)
            path.write_bytes(gzip.compress(b"".join(lines)))
        case "short":
            path.write_bytes(gzip.compress(b"".join(lines[:4] + lines[5:])))
        case "other":
            path.write_bytes(gzip.compress(b'{"form": "otpguard.words/1"}\n'))
        case "text":
            path.write_bytes(b"hello")
        case "newer":
            lines[0] = lines[0].replace(f'"people":"{head()}"'.encode(), b'"people":"9999"')
            path.write_bytes(gzip.compress(b"".join(lines)))
    other = fresh(tmp_path, "to")
    before = rows(other), people(other)
    with pytest.raises(UsageError, match=r"cut short|cannot be read|no backup|changed"):
        restore(other, path)
    assert (rows(other), people(other)) == before


def test_a_file_that_cannot_be_written_is_named_and_none_is_left(
    store: FilledStore, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        save(store, tmp_path / "nowhere" / "desk.gz", 7)
    with no_room(100), pytest.raises(UnavailableError, match=r"desk\.gz: File too large"):
        save(store, tmp_path / "desk.gz", 7)
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob("*.gz"))


def test_two_backups_to_one_path_at_once_are_each_whole(store: FilledStore, tmp_path: Path) -> None:
    path = tmp_path / "desk.jsonl.gz"
    save(store, path, 1)
    with _whole(path) as first:
        first.write(b"half of a line")
        save(store, path, 2)
        assert saved_ms(path) == 2
        first.write(b" and the rest\n")
        first.flush()
        assert saved_ms(path) == 2, "what is done is touched by nobody"
    assert gzip.decompress(path.read_bytes()) == b"half of a line and the rest\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part"))


def test_what_a_killed_backup_left_the_next_one_clears_and_nothing_else(
    store: FilledStore, tmp_path: Path
) -> None:
    """By the night's name, as the timer writes it: the next has another one."""
    others = [tmp_path / "film.part", tmp_path / "otpguard-desk.mine.part"]
    for other in others:
        other.write_bytes(b"of somebody else")
    with _whole(tmp_path / "desk-2026-11-27.gz") as alive:
        alive.write(b"half")
        dies = (
            "import os; from pathlib import Path; from streams.cases.store.backup import _whole\n"
        )
        dies += "with _whole(Path('desk-2026-11-28.gz')) as file: os.kill(os.getpid(), 9)"
        killed = subprocess.run(
            [sys.executable, "-c", dies], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        assert len(list(tmp_path.glob("*.part"))) == 4
        save(store, tmp_path / "desk-2026-11-29.gz", 7)
        assert len(list(tmp_path.glob("*.part"))) == 3, "that of the one at work stays"
    assert sorted(tmp_path.glob("*.part")) == others
    assert (tmp_path / "desk-2026-11-27.gz").exists()
