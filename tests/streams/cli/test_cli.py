"""The program as a user meets it: quick help, one line for a mistake, exit codes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli import COMMANDS

ROOT = Path(__file__).parents[3]
A1 = ("scenario", "A1", "--seed", "3")


def otpguard(
    *arguments: str, given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        input=given,
        capture_output=True,
        cwd=ROOT,
        env=clean | environment,
        timeout=60,
        check=False,
    )


def check_fails(code: int, sentence: str, *arguments: str, **environment: str) -> None:
    """It exits so, with one line on standard error, and without a traceback."""
    ran = otpguard(*arguments, given=b"", **environment)
    said = ran.stderr.decode()
    assert ran.returncode == code, said
    assert sentence in said
    assert "Traceback" not in said
    assert ran.stdout == b""


def test_help_is_quick_and_lists_every_command() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = otpguard("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in ran.stdout.decode()
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_and_exit_codes(name: str) -> None:
    first = otpguard(name, "--help").stdout.decode()
    assert "Exit codes:" in first
    texts = [first]
    if "COMMAND [ARGS]" in first:
        listed = first.partition("Commands:")[2].partition("Exit codes:")[0]
        names = [line.split()[0] for line in listed.splitlines() if line[:3].strip()]
        texts = [otpguard(name, each, "--help").stdout.decode() for each in names]
        assert texts
    for text in texts:
        assert f"otpguard {name}" in text.partition("\n  Example")[2]
        assert r"\b" not in text


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert otpguard("--version").stdout.decode().strip() == f"otpguard {version('otpguard')}"


def test_a_mistake_of_the_user_is_one_line() -> None:
    check_fails(2, "No such command 'wrker'", "wrker")
    check_fails(2, "No such option", "topics", "check", "--colour")
    check_fails(2, "nowhere.jsonl: No such file or directory", "replay", "nowhere.jsonl")
    check_fails(2, "nowhere.jsonl: No such file or directory", "recognise", "nowhere.jsonl")
    check_fails(78, "nowhere.toml: No such file", "config", "check", "-c", "nowhere.toml")
    check_fails(78, "http.prt: unknown setting", "config", "check", OTPGUARD_HTTP_PRT="1")
    check_fails(78, "mode: Input should be", "worker", OTPGUARD_MODE="on")
    unreachable = {"OTPGUARD_KAFKA_BOOTSTRAP": "127.0.0.1:9"}
    check_fails(75, "no broker answers at 127.0.0.1:9", "topics", "check", **unreachable)
    check_fails(75, "no broker answers at 127.0.0.1:9", "worker", **unreachable)


def test_machines_can_read_what_people_can() -> None:
    shown = json.loads(otpguard("config", "show", "--json", OTPGUARD_EPOCH="5").stdout)
    assert {"name": "epoch", "value": 5, "source": "OTPGUARD_EPOCH"}.items() <= next(
        each for each in shown if each["name"] == "epoch"
    ).items()
    assert "OTPGUARD_EPOCH" in otpguard("config", "show", OTPGUARD_EPOCH="5").stdout.decode()
    names = [each["name"] for each in json.loads(otpguard("metrics", "list", "--json").stdout)]
    assert "otpguard_decision_delay_seconds" in names
    listed = otpguard("metrics", "list").stdout.decode()
    assert all(name in listed for name in names)
    topics = json.loads(otpguard("topics", "list", "--partitions", "4", "--json").stdout)
    assert {each["partitions"] for each in topics if each["role"] in ("input", "changelog")} == {4}


def test_a_template_of_the_settings_is_a_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_bytes(
        otpguard("config", "template", OTPGUARD_DETECT_STAMPS='{"gw": "exact"}').stdout
    )
    uncommented = [
        line.removeprefix("# ") if " = " in line and not line.endswith('= ""') else line
        for line in path.read_text("utf-8").splitlines()
    ]
    assert 'stamps = {"gw" = "exact"}' in uncommented
    for text in (path.read_text("utf-8"), "\n".join(uncommented)):
        path.write_text(text, "utf-8")
        shown = json.loads(otpguard("config", "show", "-c", str(path), "--json").stdout)
        values = {each["name"]: each["value"] for each in shown}
        assert values.pop("detect.stamps") == {"gw": "exact"}
        default = json.loads(otpguard("config", "show", "--json").stdout)
        assert values.items() <= {each["name"]: each["value"] for each in default}.items()


def test_schemas_can_be_read_without_the_source() -> None:
    names = otpguard("topics", "schema").stdout.decode().split()
    assert "sms.delivery.v1" in names
    assert json.loads(otpguard("topics", "schema", names[0]).stdout)["title"] == names[0]
    check_fails(2, "no schema of nothing", "topics", "schema", "nothing")


def test_recognise_answers_each_line_in_order() -> None:
    texts = [
        {"text": "【示例商城】您的验证码是583921，5分钟内有效，请勿泄露。"},
        {"text": "明天下午三点老地方见", "sender": "8617000000009"},
        {"text": "Your code is 120934", "sender": "95588", "signature": "工商银行"},
        {},
    ]
    ran = otpguard("recognise", "-", given="\n".join(map(json.dumps, texts)).encode())
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [answer["otp"] for answer in answers] == [True, False, True, False]
    for answer, given in zip(answers, texts, strict=True):
        assert list(answer) == ["otp", "confidence", "code_span", "platform", "trust"]
        if answer["code_span"] is not None:
            start, end = answer["code_span"]
            assert given["text"][start:end].isdigit()
    assert answers[0]["platform"] == "sig:示例商城"
    assert answers[2]["trust"] == "bank"


def test_recognise_reads_a_text_as_it_stands() -> None:
    ran = otpguard("recognise", "Your Tandem code is 482913", "--sender", "AUTHMSG")
    told = ran.stdout.decode()
    assert "a verification code" in told
    assert "text:tandem" in told
    assert "482913" in told
    assert "weighed" not in told


def test_recognise_tells_what_weighed_and_what_would_have_changed_the_answer() -> None:
    ran = otpguard("recognise", "验证码482913，请勿泄露", "--why")
    told = ran.stdout.decode()
    for row in ("rule", "words", "weighed", "in all", "else if not", "验证码"):
        assert row in told


def test_recognise_tells_why_as_json() -> None:
    ran = otpguard("recognise", "Your Tandem code is 482913", "--why", "--json")
    answer = json.loads(ran.stdout)
    assert answer["otp"]
    kinds = {part["kind"] for part in answer["why"]["parts"]}
    assert kinds == {"rule", "trait", "piece", "pieces"}
    assert {"word": "code", "kind": "weak"} in answer["why"]["words"]


def test_recognise_names_the_line_that_is_none_and_not_its_content() -> None:
    ran = otpguard("recognise", "-", given='{"text":"x"}\n{"text":"验证码583921'.encode())
    assert ran.returncode == 2
    assert b"line 2" in ran.stderr
    assert b"583921" not in ran.stderr
    assert len(ran.stdout.splitlines()) == 1


def test_a_rehearsal_can_be_piped_into_a_replay() -> None:
    events = otpguard(*A1).stdout
    ran = otpguard("replay", "-", given=events, OTPGUARD_MODE="enforce")
    assert ran.returncode == 0
    actions = [json.loads(line) for line in ran.stdout.splitlines()]
    assert actions[0]["verb"] == "throttle"
    assert actions[0]["mode"] == "enforce"
    assert f"lines {len(events.splitlines())}" in ran.stderr.decode()
    assert "8617" not in ran.stderr.decode()
    assert otpguard("replay", "-", "-q", given=events).stderr == b""


def test_a_replay_shows_refused_records_by_count_and_in_a_file(tmp_path: Path) -> None:
    events = otpguard(*A1).stdout.splitlines()
    events.insert(5, b'{"schema_version":9}')
    events.insert(9, b"\xff not json")
    letters = tmp_path / "refused.jsonl"
    ran = otpguard("replay", "-", "--dlq", str(letters), given=b"\n".join(events))
    assert "; refused: unknown_schema_version 1, invalid_json 1;" in ran.stderr.decode()
    assert [json.loads(line) for line in letters.read_bytes().splitlines()] == [
        {"offset": 5, "reason": "unknown_schema_version", "value": '{"schema_version":9}'},
        {"offset": 9, "reason": "invalid_json", "value": "\\xff not json"},
    ]


def test_a_reader_that_has_seen_enough_is_no_traceback() -> None:
    shell = f"{sys.executable} -m streams metrics list | head -n 1"
    ran = subprocess.run(
        ["sh", "-c", shell], capture_output=True, cwd=ROOT, timeout=60, check=False
    )
    assert b"Traceback" not in ran.stderr
