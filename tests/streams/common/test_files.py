"""Small files in one piece: an old one or a new one, whatever goes wrong."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import IO, Any

import pytest

from streams.common.errors import Exit
from streams.common.files import (
    last_lines,
    piped,
    read_toml,
    replace_file,
    toml_value,
    unwritten,
)
from tests.full_disk import no_room

ROOT = Path(__file__).parents[3]


def test_a_file_is_replaced_with_the_rights_that_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    for content in (b"one", b"another"):
        replace_file(path, content, mode=0o600)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_settings_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b'\xef\xbb\xbfmode = "shadow"\n')
    assert read_toml(path) == {"mode": "shadow"}


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    replace_file(path, b"old")
    with no_room(100), pytest.raises(OSError, match="too large"):
        replace_file(path, b"new" * 1_000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_replace_a_file_at_once_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept"
    fsync, inner = os.fsync, [b"second"]

    def other(number: int) -> None:
        """Another process replaces the file when this one's is written and not yet in place."""
        while inner:
            replace_file(path, inner.pop())
        fsync(number)

    monkeypatch.setattr(os, "fsync", other)
    replace_file(path, b"first")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_to_be_tried_again_and_a_wrong_name_is_not(tmp_path: Path) -> None:
    full = unwritten(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    wrong = unwritten(tmp_path, OSError(errno.ENOENT, "No such file or directory"))
    assert (full.exit_code, wrong.exit_code) == (Exit.TRY_AGAIN, Exit.USAGE)
    assert str(full) == f"{tmp_path}: No space left on device"


def test_the_end_of_a_log_is_read_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes("一\n二\n".encode() + b"\xff\n")
    assert last_lines(tmp_path / "log", 2) == "二\n\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("octets", [b"a = [", b"\xff", b"a=" + b"[" * 50_000])
def test_what_is_no_toml_is_one_error(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(octets)
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        read_toml(path)
    path.write_text('a = "验证码"', "utf-8")
    assert read_toml(path) == {"a": "验证码"}
    with pytest.raises(FileNotFoundError):
        read_toml(tmp_path / "absent")


def test_what_a_killed_process_left_of_a_file_the_next_one_clears(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    dies = "import os, signal; from pathlib import Path\n"
    dies += "from streams.common.files import replace_file\n"
    dies += "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
    dies += "replace_file(Path('kept'), b'lost')"
    subprocess.run(
        [sys.executable, "-c", dies], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert len(list(tmp_path.iterdir())) == 1
    replace_file(path, b"next")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_cleared_as_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock another process takes it for a dead one's."""
    flock, cleared = fcntl.flock, list[Path]()

    def late(number: int, how: int) -> None:
        if not cleared:
            cleared.extend(tmp_path.iterdir())
            cleared[0].unlink()
        flock(number, how)

    monkeypatch.setattr(fcntl, "flock", late)
    replace_file(tmp_path / "kept", b"content")
    assert (tmp_path / "kept").read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_without_locks_files_are_written_and_none_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(number: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    (tmp_path / "kept.0123abcd.part").touch()
    replace_file(tmp_path / "kept", b"content")
    assert (tmp_path / "kept").read_bytes() == b"content"
    assert (tmp_path / "kept.0123abcd.part").exists()


@pytest.mark.parametrize(
    "value",
    ["plain", 'with "quotes" and \\', "new\nline", "验证码", True, False, 5, 0.25,
     {"gw-1": "minute"}, {'g"x\\y\n': "minute", "城": "", "": ""}, ["a", 1], {},
     "\x7f", {"\x7f": 1}],
)  # fmt: skip
def test_a_value_comes_back_from_toml_as_it_was(value: Any) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


def test_what_is_not_set_has_no_value() -> None:
    assert toml_value(None) is None


def test_work_at_the_other_end_of_a_pipe_reports_its_error() -> None:
    with piped(lambda out: out.write(b"x" * 500_000), "rb") as source:
        assert source.read() == b"x" * 500_000
    with piped(lambda out: out.write(b"x" * 500_000), "rb") as source:
        assert source.read(9) == b"x" * 9, "no error for who reads no more"
    got: list[bytes] = []
    with piped(lambda end: got.append(end.read()), "wb") as sink:
        sink.write(b"y" * 500_000)
    assert got == [b"y" * 500_000]

    def fail(end: IO[bytes]) -> None:
        raise ValueError("the work failed")

    with pytest.raises(ValueError, match="the work failed"), piped(fail, "wb") as sink:
        sink.write(b"y" * 500_000)
    with pytest.raises(ValueError, match="the work failed"), piped(fail, "rb") as source:
        assert not source.read()
