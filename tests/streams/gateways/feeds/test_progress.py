"""Progress beside a file: what it is known by, what is written, and what a damaged one costs."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pytest

from streams.common.errors import UnavailableError, UsageError
from streams.gateways.feeds.progress import FILES_MAX, Progress, RejectedRow, fingerprint, hash_ends
from tests.full_disk import no_room
from tests.harm import damaged

LINES = [b"head\n", *(b"row %d\n" % i for i in range(50))]


@contextmanager
def opened(file: Path, *, remember: bool = True, headed: bool = True) -> Iterator[Progress]:
    with file.open("rb") as stream:
        yield Progress(file, stream, headed=headed, remember=remember)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cdr.csv"
    path.write_bytes(b"".join(LINES))
    return path


def published(file: Path, offset: int = 40, lines: int = 6) -> None:
    with opened(file) as progress:
        progress.write(offset, lines, "rules")


def test_what_was_published_is_remembered(file: Path) -> None:
    with opened(file) as progress:
        assert progress.read() is None
    published(file)
    with opened(file) as progress:
        place = progress.read()
    assert place is not None
    assert (place.offset, place.lines, place.rules) == (40, 6, "rules")


def test_a_full_disk_is_to_be_tried_again_and_what_was_remembered_stays(file: Path) -> None:
    published(file)
    with no_room(10), pytest.raises(UnavailableError, match="stores its position"):
        published(file, 60, 9)
    with opened(file) as progress:
        place = progress.read()
    assert place is not None
    assert place.offset == 40


def test_a_file_that_grew_is_the_same_and_one_that_changed_is_another(file: Path) -> None:
    published(file)
    file.write_bytes(file.read_bytes() + b"row 99\n")
    with opened(file) as progress:
        assert progress.read() is not None
    changed = bytearray(file.read_bytes())
    changed[30] ^= 1
    file.write_bytes(bytes(changed))
    with opened(file) as progress:
        assert progress.read() is None


def test_a_renamed_file_is_found_and_a_copy_of_that_name_is_not(file: Path) -> None:
    published(file)
    content = file.read_bytes()
    rotated = file.with_name("cdr.csv.1")
    file.rename(rotated)
    with opened(rotated) as progress:
        assert progress.read() is not None
    copied = file.with_name("cdr.csv.2")
    copied.write_bytes(content)
    with opened(copied) as progress:
        assert progress.read() is None


def test_without_remembering_nothing_is_known_and_nothing_is_written(file: Path) -> None:
    published(file)
    with opened(file, remember=False) as progress:
        assert progress.read() is None
        progress.write(80, 12, "rules")
        progress.reject([RejectedRow("f", "cdr.csv", 3, 9, 12, "no sender")])
        assert progress.rejects() == []
    assert not file.with_name("cdr.csv.rejects").exists()
    with opened(file) as progress:
        place = progress.read()
    assert place is not None
    assert place.offset == 40


def test_few_files_of_one_name_are_remembered(file: Path) -> None:
    for day in range(FILES_MAX + 3):
        file.write_bytes(b"head\nday %d\n" % day * 9)
        published(file, 18, 2)
    text = file.with_name("cdr.csv.progress").read_text()
    assert text.count("fingerprint") == FILES_MAX


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b'{"files": [{}]}', b"[" * 100_000])
def test_damaged_progress_is_no_progress(file: Path, damage: bytes) -> None:
    file.with_name("cdr.csv.progress").write_bytes(damage)
    with opened(file) as progress:
        assert progress.read() is None
        progress.write(40, 6, "rules")
        assert progress.read() is not None


def reject(progress: Progress, line: int, fingerprint_: str | None = None) -> RejectedRow:
    return RejectedRow(fingerprint_ or progress.fingerprint, "cdr.csv", line, 7 * line, 0, "why")


def test_rejects_are_in_order_once_and_of_this_file_alone(file: Path) -> None:
    with opened(file) as progress:
        mine = [reject(progress, 5), reject(progress, 3), reject(progress, 5)]
        progress.reject([*mine, reject(progress, 1, "another")])
        assert [each.line for each in progress.rejects()] == [3, 5]
        progress.keep([mine[1]])
        assert [each.line for each in progress.rejects()] == [3]
        progress.keep([])
    assert file.with_name("cdr.csv.rejects").read_text().count("another") == 1


def test_a_line_of_rejects_that_is_half_written_is_passed_over(file: Path) -> None:
    with opened(file) as progress:
        progress.reject([reject(progress, 5)])
        with file.with_name("cdr.csv.rejects").open("ab") as out:
            out.write(b'{"fingerprint": "')
        assert [each.line for each in progress.rejects()] == [5]


def test_the_last_reject_that_goes_takes_its_file_with_it(file: Path) -> None:
    with opened(file) as progress:
        progress.reject([reject(progress, 5)])
        progress.keep([])
        assert not progress.rejects_path.exists()
        progress.keep([])


def test_a_place_that_cannot_be_written_is_one_sentence(file: Path) -> None:
    file.with_name("cdr.csv.progress").mkdir()
    with opened(file) as progress, pytest.raises(UsageError, match="stores its position"):
        progress.write(40, 6, "rules")


def test_a_packed_file_is_known_by_what_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "cdr.csv.gz"
    path.write_bytes(gzip.compress(b"".join(LINES)))
    with gzip.open(path) as stream:
        progress = Progress(path, cast("IO[bytes]", stream), headed=True, remember=True)
        progress.write(40, 6, "rules")
        place = progress.read()
    assert place is not None
    assert place.raw == path.stat().st_size


def test_a_fingerprint_is_that_of_the_first_lines(file: Path) -> None:
    with file.open("rb") as stream:
        two = fingerprint(stream, 2)
    file.write_bytes(LINES[0] + LINES[1])
    with file.open("rb") as stream:
        assert fingerprint(stream, 2) == two
        assert fingerprint(stream, 1) != two


def test_a_packed_file_that_is_damaged_has_one_too_and_is_read_no_further(file: Path) -> None:
    file.write_bytes(damaged(gzip.compress(b"".join(LINES))))
    with gzip.open(file) as stream:
        assert fingerprint(cast("IO[bytes]", stream), 2)


def test_a_file_that_became_shorter_has_no_hash_of_its_old_length(file: Path) -> None:
    with file.open("rb") as stream:
        whole = hash_ends(stream.fileno(), file.stat().st_size)
        stream.seek(9)
        assert hash_ends(stream.fileno(), file.stat().st_size) == whole != ""
        assert stream.tell() == 9
        assert hash_ends(stream.fileno(), file.stat().st_size + 1) == ""
