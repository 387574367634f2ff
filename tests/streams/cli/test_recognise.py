"""`otpguard recognise`: texts as they stand, files line by line, and what weighed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from streams.cli.recognise import _is_text
from tests.builders.streams.cli.cli import otpguard
from tests.builders.streams.cli.terminal import in_a_terminal
from tests.streams.cli.called import called


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


def test_recognise_reads_a_pipe_that_begins_with_a_byte_order_mark() -> None:
    ran = otpguard("recognise", "-", given=b'\xef\xbb\xbf{"text": "Your code is 120934"}\n')
    assert json.loads(ran.stdout)["otp"] is True


def test_recognise_reads_a_text_as_it_stands() -> None:
    ran = otpguard("recognise", "Your Tandem code is 482913", "--sender", "AUTHMSG")
    told = ran.stdout.decode()
    assert "a verification code" in told
    assert "sig:tandem" in told
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


@pytest.mark.parametrize(
    ("argument", "text"),
    [("-", False), ("验证码4829", True), ("code 4829", True), ("texts.jsonl", False),
     ("x" * 5000, False), ("a b" * 5000, True), ("a\0 b", True)],
)  # fmt: skip
def test_a_text_is_told_from_the_name_of_a_file(argument: str, text: bool) -> None:
    assert _is_text(argument) is text


def test_a_file_of_that_name_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my texts.jsonl"
    path.write_text('{"text": "code 4829"}\n', encoding="utf-8")
    assert not _is_text(str(path))
    assert json.loads(called("recognise", str(path)))["platform"]


def test_a_text_that_is_no_code_says_so_and_marks_none() -> None:
    told = called("recognise", "see you at noon")
    assert "no verification code" in told
    assert "code  " not in told.partition("answer")[2].partition("platform")[2]
    assert json.loads(called("recognise", "see you", "--json"))["code_span"] is None


def test_a_text_cannot_command_the_terminal_and_its_code_stays_marked() -> None:
    told = called("recognise", "【淘\x1b]52;c;cm0=\x07宝】验证码 583921，5分钟内有效", "--why")
    assert "".join(told.split()).isprintable()
    assert r"\x1b]52;c;cm0=\x07" in told
    assert "583921" in told.partition("\ncode ")[2]


def test_files_get_a_table_on_a_terminal_and_json_lines_in_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    texts = ["【淘宝】验证码 583921，5分钟内有效，请勿泄露给他人，感谢您的使用", "See you at 8"]
    path.write_text("".join(json.dumps({"text": each}) + "\n" for each in texts))
    words = ("-m", "streams", "recognise", str(path))
    shown = [line for line in in_a_terminal(80, *words).splitlines() if line.strip()]
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown]
    heads = [line.split("  ")[0] for line in plain]
    assert [each for each in heads if each] == ["answer", "a code", "no code"]
    assert all(cell_len(line) <= 80 for line in plain)
    explained = in_a_terminal(80, *words, "--why")
    assert explained.count("confidence") == 2, "a few lines for each"
    assert "weighed" in explained
    assert '{"otp"' not in explained
    assert "bytes" not in explained
    assert '{"otp"' in in_a_terminal(4000, *words, "--why", "--json")
    found = otpguard("recognise", str(path)).stdout.splitlines()
    assert [json.loads(line)["otp"] for line in found] == [True, False]
