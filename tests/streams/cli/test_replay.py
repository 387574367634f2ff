"""`otpguard replay`: files in, leases out, with no broker."""

from __future__ import annotations

import json
from pathlib import Path

from streams.errors import UnavailableError, UsageError
from tests.streams.cli.called import called, refused
from tests.streams.cli.test_cli import otpguard

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
    assert "lines/s" not in ran.stderr.decode(), "a pace of so little is one of starting up"
    assert otpguard("replay", "-", "-q", given=events).stderr == b""


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


def test_a_place_for_refused_records_that_cannot_be_written_is_said() -> None:
    refused(UsageError, "No such file", "replay", "-", "--dlq", "/nowhere/x", given="")


def test_a_full_disk_under_refused_records_is_said_of_their_file() -> None:
    """Few lines reach it when it is closed, many before."""
    for count in (1, 20_000):
        words = ("replay", "-", "--dlq", "/dev/full")
        refused(UnavailableError, "/dev/full: No space left", *words, given="x\n" * count)
