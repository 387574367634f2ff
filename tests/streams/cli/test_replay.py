"""`otpguard replay`: files in, leases out, with no broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from streams.common.errors import UnavailableError, UsageError
from tests.builders.streams.cli.cli import otpguard
from tests.builders.streams.cli.terminal import in_a_terminal
from tests.streams.cli.called import called, refused

A1 = ("scenario", "A1", "--seed", "3")


def test_a_rehearsal_can_be_piped_into_a_replay() -> None:
    events = otpguard(*A1).stdout
    ran = otpguard("replay", "-", given=events, OTPGUARD_MODE="enforce")
    assert ran.returncode == 0
    actions = [json.loads(line) for line in ran.stdout.splitlines()]
    assert actions[0]["verb"] == "throttle"
    assert actions[0]["mode"] == "enforce"
    assert f"lines {len(events.splitlines())}" in ran.stderr.decode()
    assert "8617" not in ran.stderr.decode()
    assert "shadow" not in ran.stderr.decode()
    assert "shadow" in otpguard("replay", "-", given=events).stderr.decode()
    assert "lines/s" not in ran.stderr.decode(), "a pace of so little is one of starting up"
    assert otpguard("replay", "-", "-q", given=events).stderr == b""


def test_texts_in_hexadecimal_are_read_as_the_texts_that_they_are() -> None:
    events = [json.loads(line) for line in otpguard(*A1).stdout.splitlines()]
    plain = otpguard("replay", "-", given=_lines(events))
    for each in events[::2]:
        each["text"] = each["text"].encode("utf-16-be").hex()
    encoded = otpguard("replay", "-", given=_lines(events))
    assert encoded.stdout == plain.stdout
    assert b"--text hex" in encoded.stderr
    assert b"--text hex" not in plain.stderr


def test_a_replay_without_a_lease_says_that_nobody_was_throttled() -> None:
    quiet = otpguard("scenario", "B1", "--recipients", "20").stdout
    assert otpguard("replay", "-", given=quiet).stderr.decode().endswith("nobody was throttled\n")
    flood = otpguard(*A1).stdout
    assert b"nobody was throttled" not in otpguard("replay", "-", given=flood).stderr


@pytest.mark.parametrize("command", ["replay", "feed csv", "feed jsonl", "calibrate", "recognise"])
def test_an_empty_file_is_an_error(tmp_path: Path, command: str) -> None:
    path = tmp_path / "none.csv"
    path.touch()
    ran = otpguard(*command.split(), str(path))
    assert (ran.returncode, b"none.csv: the file is empty" in ran.stderr) == (2, True), ran.stderr


def _lines(events: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(each)}\n" for each in events).encode()


def test_a_person_at_a_terminal_reads_a_sentence_for_each_lease(tmp_path: Path) -> None:
    path = tmp_path / "a1.jsonl"
    path.write_bytes(otpguard(*A1).stdout)
    words = ("-m", "streams", "replay", "-q", "--utc", str(path))
    first, *_ = in_a_terminal(300, *words).splitlines()
    assert first == (
        "2026-03-02 03:33:49Z  8617000000000  throttle until 2026-03-02 03:43:49Z (shadow): "
        "verification codes of 5 platforms that this recipient did not know came faster than "
        "people log in"
    )
    first, *_ = in_a_terminal(4000, *words, "--json").splitlines()
    assert json.loads(first)["verb"] == "throttle"


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_at_80_columns_no_line_is_wider_or_ends_in_a_word(language: str, tmp_path: Path) -> None:
    log = tmp_path / "a1.jsonl"
    log.write_bytes(otpguard(*A1).stdout)
    words = ("-m", "streams", "--lang", language, "replay", str(log))
    wide, narrow = (in_a_terminal(columns, *words) for columns in (400, 80))
    assert max(map(cell_len, wide.splitlines())) > 80
    assert max(map(cell_len, narrow.splitlines())) <= 80
    known = set(wide.split())
    words_shown = [each for each in narrow.split() if each.isascii() and each.isalpha()]
    assert [each for each in words_shown if each not in known] == []


def test_a_replay_shows_refused_records_by_count_and_in_a_file(tmp_path: Path) -> None:
    events = otpguard(*A1).stdout.splitlines()
    events.insert(5, b'{"schema_version":9}')
    events.insert(9, b"\xff not json")
    letters = tmp_path / "refused.jsonl"
    ran = otpguard("replay", "-", "--dlq", str(letters), given=b"\n".join(events))
    assert "; refused: unknown_schema_version 1, invalid_json 1\n" in ran.stderr.decode()
    assert [json.loads(line) for line in letters.read_bytes().splitlines()] == [
        {"offset": 5, "reason": "unknown_schema_version", "value": '{"schema_version":9}'},
        {"offset": 9, "reason": "invalid_json", "value": "\\xff not json"},
    ]


def test_several_files_are_one_log_and_episodes_come_when_asked(tmp_path: Path) -> None:
    events = called(*A1).splitlines(keepends=True)
    names = []
    for i in range(2):
        path = tmp_path / f"{i}.jsonl"
        path.write_text("".join(events[i * 40 : None if i else 40]), encoding="utf-8")
        names.append(str(path))
    whole = called("replay", "-q", "-", given="".join(events))
    assert called("replay", "-q", *names) == whole
    told = [json.loads(line) for line in called("replay", "-q", "--episodes", *names).splitlines()]
    topics = {each.get("topic") for each in told}
    assert "otpguard.episode.v1" in topics
    assert len(told) > len(whole.splitlines())


def rulings_of(*words: str, given: str) -> list[dict[str, Any]]:
    told = called("replay", "-q", "--rulings", *words, "-", given=given)
    return [json.loads(line) for line in told.splitlines()]


def test_rulings_have_a_line_for_each_code_in_the_order_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTPGUARD_MODE", "enforce")
    events = called(*A1)
    lines = rulings_of(given=events)
    assert lines[0].keys() == {"message_id", "recipient", "ruling", "why", "lease"}
    ids = [json.loads(line)["message_id"] for line in events.splitlines()]
    assert [line["message_id"] for line in lines] == ids, "all of an incident are codes"
    refused_ = [line for line in lines if line["ruling"] == "refuse"]
    assert len(refused_) > 40
    assert {line["why"] for line in refused_} == {"refuse"}
    assert all(line["lease"] for line in refused_)
    assert {"no_lease", "trusted"} <= {line["why"] for line in lines}
    later = rulings_of("--delay-ms", "60000", given=events)
    assert sum(line["ruling"] == "refuse" for line in later) < len(refused_)


def test_in_shadow_nothing_is_refused() -> None:
    lines = rulings_of(given=called(*A1))
    assert {(line["ruling"], line["why"], line["lease"]) for line in lines} == {
        ("pass", "no_lease", None)
    }


def test_rulings_are_summed_up_for_people() -> None:
    ran = otpguard("replay", "--rulings", "-", given=called(*A1).encode(), OTPGUARD_MODE="enforce")
    assert "; rulings: " in ran.stderr.decode()
    assert "refuse: refuse " in ran.stderr.decode()
    refused(UsageError, "not both", "replay", "--rulings", "--episodes", "-", given="")


def test_a_place_for_refused_records_that_cannot_be_written_is_said() -> None:
    refused(UsageError, "No such file", "replay", "-", "--dlq", "/nowhere/x", given="")


def test_a_full_disk_under_refused_records_is_said_of_their_file() -> None:
    """Few lines reach it when it is closed, many before."""
    for count in (1, 20_000):
        words = ("replay", "-", "--dlq", "/dev/full")
        refused(UnavailableError, "/dev/full: No space left", *words, given="x\n" * count)
