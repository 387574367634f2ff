"""The program: what a user can put right is one line and an exit code, no traceback."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams import __version__
from streams.__main__ import app, main
from streams.common.errors import Exit
from tests.syntax import dotted
from tests.waiting import END_S

ROOT = Path(__file__).parents[2]


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["otpguard", *words])
    with pytest.raises(SystemExit) as found:
        main()
    return int(found.value.code or 0)


def test_the_version_is_told_and_nothing_else_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, "--version") == Exit.DONE
    assert capsys.readouterr().out == f"otpguard {version('otpguard')}\n"


def test_an_error_of_ours_is_one_line_with_its_own_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, "replay", "no\x1bwhere") == Exit.USAGE
    told = capsys.readouterr()
    assert told.err.startswith("otpguard: ")
    assert "\x1b" not in told.err, "a name may be foreign text"
    assert (len(told.err.splitlines()), told.out) == (1, "")
    assert ended(monkeypatch, "config", "check", "-c", "nowhere.toml") == Exit.CONFIG


@pytest.mark.parametrize(
    ("place", "begins", "ends"),
    [
        ("streams/cli/__init__.py", '"Exit codes: ', '"\n)'),
        ("deploy/README.md", "**Exit codes.** ", "A start helps"),
        ("deploy/README.zh.md", "- 退出码：", "70 和 75 时"),
    ],
)
def test_every_list_of_exit_codes_has_all_of_them(place: str, begins: str, ends: str) -> None:
    _, begun, rest = (ROOT / place).read_text("utf-8").partition(begins)
    said, ended, _ = rest.partition(ends)
    assert (begun, ended) == (begins, ends)
    assert [int(each) for each in re.findall(r"\b\d+\b", said)] == sorted(Exit)


def test_no_command_ends_with_a_code_that_has_no_name() -> None:
    numbers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "streams").rglob("*.py"))
        if path.name != "standalone.py"  # alone, without ours
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and dotted(node.func) in ("typer.Exit", "sys.exit", "Exit")
        if any(isinstance(each, ast.Constant) for each in node.args)
    ]
    assert numbers == []


def test_without_a_word_it_helps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch) == Exit.USAGE
    told = capsys.readouterr()
    assert "Usage: otpguard" in told.out + told.err


@pytest.mark.parametrize(
    "words",
    [
        "topics list >&-",
        "recognise 'code 482913' >&-",
        "topics list <&- >&- 2>&-",
    ],
)
def test_a_stream_that_is_closed_is_as_one_that_goes_nowhere(words: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m streams {words}', sys.executable],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (Exit.DONE, b"", b"")


HALF_LOADED = """
import contextlib, os, signal
import streams.__main__ as program

def app(prog_name):
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([signal.SIGUSR1], 60)
    raise ImportError("cannot import name")

program.app = app
signal.signal(signal.SIGINT, signal.default_int_handler)  # A job in the background ignores it.
program.main()
"""
"""The program, with Ctrl-C in an import that somebody swallows, so that a module lacks names."""


def test_after_ctrl_c_a_module_that_lacks_names_is_no_error_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HALF_LOADED, "scenario", "--list"],
        capture_output=True, cwd=ROOT, timeout=END_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (Exit.INTERRUPTED, b"")


def test_the_version_in_the_source_is_that_of_the_package() -> None:
    assert version("otpguard") == __version__


ASK = """
import json, sys
from importlib.util import _LazyModule
sys.argv = ["otpguard", *sys.argv[1:]]
from streams.__main__ import main
try:
    main()
finally:
    loaded = [name for name, each in sys.modules.items() if type(each) is not _LazyModule]
    print(json.dumps(sorted(loaded)), file=sys.stderr)
"""
"""A command, and behind its answer the modules that it has loaded."""

SERVICES = {
    "aiokafka", "asyncio", "faust", "jinja2", "kafka", "matplotlib", "prometheus_client", "redis",
    "rich.console", "streams.telemetry.metrics", "streams.engine.transport.driver", "urllib3",
}  # fmt: skip
WRITTEN_SETTINGS = {"pydantic_settings"}
DETECTOR = {
    "detectors.chain", "detectors.episodes", "detectors.partition", "detectors.recipients",
    "detectors.suspects", "phonenumbers", "streams.wire",
}  # fmt: skip
CORE = {
    "detectors",
    "importlib.metadata",
    "msgspec",
    "numpy",
    "pydantic",
    "streams.config",
    "tomllib",
}
"""What takes longest to import: a start is as quick as what it does without."""


FLOOD = CliRunner().invoke(app, ["scenario", "A1", "--seed", "3"]).stdout_bytes


@pytest.mark.parametrize(
    ("words", "given", "without"),
    [
        (["--help"], b"", SERVICES | WRITTEN_SETTINGS | DETECTOR | CORE),
        (
            ["recognise", "-"],
            b'{"text": "code 482913"}',
            SERVICES | WRITTEN_SETTINGS | DETECTOR,
        ),
        (["replay", "-", "--quiet"], FLOOD, SERVICES | WRITTEN_SETTINGS),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_a_first_answer_waits_for_nothing_that_it_does_not_need(
    words: list[str], given: bytes, without: set[str], tmp_path: Path
) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *words],
        input=given,
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "streams.cli" in loaded
    assert done.stdout.strip(), "it has answered"
    assert sorted(loaded & without) == []


def _narrow(*words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    """A command in a surrounding whose output knows ASCII alone."""
    return subprocess.run(
        [sys.executable, "-m", "streams", *words], stdout=stdout, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LANG": "C"}, check=False, timeout=END_S,
    )  # fmt: skip


def test_what_is_written_to_a_file_or_pipe_is_utf_8_whatever_the_locale() -> None:
    """Half a template was left in a file, with a trace behind it."""
    for words, has in (
        (("--lang", "zh-Hans", "config", "template"), "两次探测的间隔"),
        (("recognise", "【示例】验证码 123456"), "示例"),
    ):
        done = _narrow(*words)
        assert (done.returncode, done.stderr) == (0, b"")
        assert has in done.stdout.decode("utf-8")
    missing = _narrow("replay", "没有")
    assert missing.returncode == Exit.USAGE
    assert "没有" in missing.stderr.decode("utf-8")


def test_a_terminal_that_lacks_a_character_shows_its_escape() -> None:
    ours, theirs = pty.openpty()
    done = _narrow("recognise", "【示例】验证码 123456", stdout=theirs)
    assert (done.returncode, done.stderr) == (0, b"")
    shown = os.read(ours, 1 << 16)
    os.close(theirs)
    os.close(ours)
    assert rb"\u793a\u4f8b" in shown
