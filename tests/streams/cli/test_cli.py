"""The program as a user meets it: quick help, one line for a mistake, exit codes."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from rich.cells import cell_len
from typer.main import get_command
from typer.testing import CliRunner

from streams.__main__ import app
from streams.cli import COMMANDS, GROUPS
from streams.common.language import LANGUAGES, speaking
from tests.builders.streams.cli.cli import ROOT, otpguard
from tests.waiting import END_S


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
    said = ran.stdout.decode()
    for name in COMMANDS:
        assert said.count(f"\n  {name} ") == 1
    assert re.findall(r"^\w[\w ]*(?=:\n)", said, re.MULTILINE) == ["Options", *GROUPS]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_and_exit_codes(name: str) -> None:
    first = helped(name)
    assert "Exit codes:" in first
    texts = [first]
    if "COMMAND [ARGS]" in first:
        listed = first.partition("Commands:")[2].partition("Exit codes:")[0]
        names = [line.split()[0] for line in listed.splitlines() if line[:3].strip()]
        texts = [helped(name, each) for each in names]
        assert texts
    for text in texts:
        assert f"otpguard {name}" in text.partition("\n  Example")[2]
        assert r"\b" not in text


def helped(*words: str) -> str:
    """Return a command's help on a terminal of 80 columns, of which two stay free.

    It runs in this process, because the starts of all commands take half a minute.
    """
    given = [*words, "--help"]
    done = CliRunner().invoke(app, given, prog_name="otpguard", terminal_width=78)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_help_fits_80_columns(tag: str) -> None:
    """A Chinese character takes two columns. A terminal that wraps a line spoils it for copying."""
    lines = list(lines_of_every_help(tag))
    assert len(lines) > 1_000
    assert [each for each in lines if cell_len(each[1]) > 80] == []
    assert [each for each in lines if "\0" in each[1]] == []


def test_chinese_punctuation_stands_at_the_end_of_a_line_and_not_at_the_beginning() -> None:
    lines = list(lines_of_every_help("zh-Hans"))
    assert [each for each in lines if re.match(r" *[、。，：；！？）》」』】]", each[1])] == []
    assert [each for each in lines if re.search(r"[（《「【]$", each[1])] == []


@pytest.mark.parametrize("tag", ["en", "zh-Hans"])
def test_each_group_lists_its_commands_by_name_with_a_whole_sentence(tag: str) -> None:
    root: Any = get_command(app)
    for name in COMMANDS:
        below = getattr(root.get_command(None, name), "commands", {})
        with speaking(tag, UTC):
            shown = helped(name).partition("\n\n")[2] if below else ""  # behind the usage
        assert "..." not in shown
        assert set(below) <= set(re.findall(r"^  (\S+)  +\S", shown, re.MULTILINE)), name


def lines_of_every_help(tag: str) -> Iterator[tuple[str, str]]:
    """Yield each line of the helps of all commands, and the command's name before the line."""
    root: Any = get_command(app)
    waiting = [("", root), *((name, root.get_command(None, name)) for name in COMMANDS)]
    for name, command in waiting:
        with speaking(tag, UTC):
            text = helped(*name.split())
        yield from ((name, line) for line in text.splitlines())
        if command is not root:
            below = getattr(command, "commands", {})
            waiting += [(f"{name} {each}", found) for each, found in below.items()]


LISTED = """
import sys
from importlib.util import _LazyModule
from typer.main import get_command
from streams.__main__ import app
from streams.cli import COMMANDS
group = get_command(app)
for name in COMMANDS:
    group.get_command(None, name)
    for module in ("kafka.client", "numpy", "phonenumbers", "pydantic.main", "streams.wire"):
        if type(sys.modules.get(module, _LazyModule(""))) is not _LazyModule:
            sys.exit(f"{name} loads {module}")
"""
"""Makes every command as its `--help` does, and names the first that loads much."""


def test_no_help_waits_for_what_only_the_command_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTED], cwd=ROOT, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


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
    enforcing = {"OTPGUARD_MODE": "enforce"}
    for words in (["worker"], ["config", "check"], ["gate", "serve"]):
        check_fails(78, 'country = "XX", or set OTPGUARD_INPUT_COUNTRY=XX', *words, **enforcing)
    unreachable = {"OTPGUARD_KAFKA_BOOTSTRAP": "127.0.0.1:9"}
    check_fails(
        75, "no broker answers", "worker", **unreachable, **enforcing, OTPGUARD_INPUT_COUNTRY="NG"
    )
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


def test_schemas_can_be_read_without_the_source() -> None:
    names = otpguard("topics", "schema").stdout.decode().split()
    assert "sms.delivery.v1" in names
    assert json.loads(otpguard("topics", "schema", names[0]).stdout)["title"] == names[0]
    check_fails(2, "no schema of nothing", "topics", "schema", "nothing")


def test_a_mistyped_command_is_answered_with_those_that_may_be_meant() -> None:
    check_fails(2, "Did you mean `otpguard release`", "relase", "13900000001")
    check_fails(2, "No such command 'xyzzy'.", "xyzzy")


def test_a_shell_completes_commands_and_options() -> None:
    for words, expected in (("otpguard ca", "cases"), ("otpguard cases ls --s", "--since")):
        count = str(len(words.split()) - 1)
        ran = otpguard(_OTPGUARD_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
        assert expected in ran.stdout.decode().splitlines()


def test_a_reader_that_has_seen_enough_is_no_traceback() -> None:
    shell = f"{sys.executable} -m streams metrics list | head -n 1"
    ran = subprocess.run(
        ["sh", "-c", shell], capture_output=True, cwd=ROOT, timeout=END_S, check=False
    )
    assert b"Traceback" not in ran.stderr
