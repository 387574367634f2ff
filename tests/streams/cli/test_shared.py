"""Parts that commands share: files that are opened, tables and JSON."""

from __future__ import annotations

import gzip
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli.shared import (
    ago_ms,
    format_counts,
    open_lines,
    write_json,
    write_table,
)
from streams.common.errors import UsageError


def test_longer_ago_than_any_clock_is_1970() -> None:
    """Kafka's client raises ValueError for a time below nought: `--since 99999d` was a trace."""
    assert ago_ms("99999d") == 0
    assert ago_ms("1d") > 0


SERVICE = """
import sys, time
from streams.cli.shared import serving
from streams.config import Settings
from streams.telemetry.metrics import Metrics

def never_ends():
    while True:
        time.sleep(60)

with serving(Settings(http={"port": 0}), Metrics("adapter"), stop_s=1) as stop:
    print("at work", flush=True)
    stop.wait()
    if "late" in sys.argv:
        never_ends()
time.sleep(2)
print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_does_not_end_when_asked_says_where_it_stands_and_ends(number: int) -> None:
    """One whose client waited for ever was killed by its supervisor, and nobody knew for what."""
    for words, code, last in ((["late"], 1, "never_ends"), ([], 0, "ended")):
        with subprocess.Popen(
            [sys.executable, "-c", SERVICE, *words], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        ) as service:  # fmt: skip
            assert service.stdout is not None
            assert service.stdout.readline() == "at work\n"
            service.send_signal(number)
            out, err = service.communicate(timeout=120)
        assert service.returncode == code, err
        assert last in (err if code else out)
        assert ("most recent call first" in err) == bool(code)


ASKED_TWICE = """
import signal, threading
from streams.cli.shared import stopping

stop, whole = stopping(), threading.Condition.notify_all

def interrupted(condition):
    signal.raise_signal(signal.SIGTERM)
    whole(condition)

threading.Condition.notify_all = interrupted  # whoever is in it holds the lock
print("at work", flush=True)
while not stop.wait(0.01):
    pass
print("ended")
"""


def test_a_service_that_is_asked_again_while_it_is_asked_ends() -> None:
    """`timeout` asks its child and then the group: an adapter waited for itself from then on."""
    with subprocess.Popen(
        [sys.executable, "-c", ASKED_TWICE], stdout=subprocess.PIPE, text=True
    ) as service:
        try:
            assert service.stdout is not None
            assert service.stdout.readline() == "at work\n"
            service.send_signal(signal.SIGTERM)
            out, _ = service.communicate(timeout=60)
        finally:
            service.kill()
    assert out == "ended\n"
    assert service.returncode == 0


def test_a_packed_file_is_unpacked_and_an_absent_one_named(tmp_path: Path) -> None:
    for name, write in (("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress)):
        (tmp_path / name).write_bytes(write(b"line\n"))
        with open_lines(str(tmp_path / name)) as file:
            assert file.read() == b"line\n"
    with pytest.raises(UsageError, match="absent: No such file"), open_lines("absent"):
        pass
    with pytest.raises(UsageError, match="Is a directory"), open_lines(str(tmp_path)):
        pass


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_disk_that_fails_in_the_middle_of_a_file_is_one_sentence(
    tmp_path: Path, packed: str, *, whole: bool
) -> None:
    path = tmp_path / f"a.jsonl{packed}"
    path.symlink_to("/proc/self/mem")  # opens, and cannot be read at its begin
    with pytest.raises(UsageError, match=rf"{re.escape(str(path))}: Input/output error"):  # noqa: SIM117
        with open_lines(str(path)) as file:
            file.read() if whole else list(file)


def test_an_error_of_writing_is_none_of_the_file_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"line\n")
    with pytest.raises(OSError, match="No space"), open_lines(str(path)) as file:  # noqa: PT012
        for line in file:
            Path("/dev/full").write_bytes(line)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    for name, write in (("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress)):
        (tmp_path / name).write_bytes(write(b"\xef\xbb\xbfline\n\xef\xbb\xbf"))
        with open_lines(str(tmp_path / name)) as file:
            assert file.read() == b"line\n\xef\xbb\xbf"


@pytest.mark.parametrize("wrong", ["never packed", "cut off", "damaged", "empty"])
def test_a_packed_file_that_is_not_whole_is_one_sentence(tmp_path: Path, wrong: str) -> None:
    packed = gzip.compress(bytes(range(256)) * 40, mtime=0)
    contents = {
        "never packed": b'{"a": 1}\n',
        "cut off": packed[: len(packed) // 2],
        "empty": b"",
        "damaged": packed[:40] + bytes(each ^ 0xFF for each in packed[40:60]) + packed[60:],
    }
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(contents[wrong])
    with pytest.raises(UsageError, match="no whole gzip file"):  # noqa: SIM117
        with open_lines(str(path)) as file:
            list(file)


def test_foreign_text_in_a_table_stays_text(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("name", "what"), [("[red]x[/red]", "a\x1b[2Jb"), ("long " * 60, 5)])
    told = capsys.readouterr().out
    assert "[red]x[/red]" in told
    assert "\x1b" not in told
    assert len(told.splitlines()) == 3, "a pipe gets a row on one line"


def test_json_is_one_document_without_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_json({"text": "a\x1b\u202eb", "path": Path("/x")})
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert '"/x"' in told


def test_counts_leave_noughts_out() -> None:
    assert format_counts({"a": 0, "b": 2}) == "b 2"
    assert format_counts({}) == ""
