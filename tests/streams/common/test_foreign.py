"""Mistakes on the command line and in settings are answered in Chinese too, whoever found them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.common.errors import Exit
from streams.common.foreign import SENTENCES, translate_message
from streams.common.language import speaking, tr
from tests.deploy.tools import ROOT


def answered(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and standard error of a command in Chinese."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    done = subprocess.run(
        [sys.executable, "-m", "streams", "--lang", "zh", *words], cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("size", "缺少选项 '--events'"),
        ("release", "缺少参数 'recipient'"),
        ("size --events many --recipients 5", "'--events' 的值无效：应为整数"),
        ("--nosuch", "没有选项 --nosuch"),
        ("size --events", "选项 '--events' 需要一个值"),
        ("config check more", "多余的参数"),
        ("wrker", "没有命令 'wrker'"),
    ],
)
def test_a_mistake_on_the_command_line(words: str, says: str, tmp_path: Path) -> None:
    code, said = answered(tmp_path, *words.split())
    assert code == Exit.USAGE
    assert says in said
    assert said.startswith(
        ("用法：otpguard", "错误：选项")
    )  # typer knows no usage where a value lacks
    assert not re.search("Usage|Error|Try |Missing|Invalid|Input", said)


def test_a_mistake_in_settings(tmp_path: Path) -> None:
    (tmp_path / "otpguard.toml").write_text(
        'mode = "on"\n[topics]\npartitions = 0\n[detect]\nwindow_s = "x"\n'
    )
    code, said = answered(tmp_path, "config", "check")
    assert code == Exit.CONFIG
    assert "mode：" in said or "mode: " in said
    assert "应为 'shadow' 或 'enforce'" in said
    assert "Input should" not in said


def test_help_without_a_word_stays_help(tmp_path: Path) -> None:
    code, said = answered(tmp_path, "desk")
    assert code == Exit.USAGE
    assert said.startswith("用法：otpguard desk")
    assert "错误：" not in said


def test_every_sentence_is_found_by_its_own_shape_first() -> None:
    with speaking("zh-Hans", None):
        for sentence in SENTENCES:
            filled = re.sub(r"\{(\w+)\}", "X", sentence)
            assert translate_message(filled) == re.sub(r"\{(\w+)\}", "X", tr(sentence)), sentence
        assert translate_message("nobody knows this") == "nobody knows this"
    assert translate_message("Missing command.") == "Missing command."
