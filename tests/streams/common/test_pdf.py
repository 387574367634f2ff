"""PDFs on a system with all native libraries, without the subsetter, and without Pango."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.common import pdf
from streams.common.errors import Exit
from tests.deploy.tools import ROOT

pytestmark = pytest.mark.slow

HIDING = """
import sys
import cffi
hidden, sys.argv[:] = sys.argv[1], ["otpguard", *sys.argv[2:]]
load = cffi.FFI.dlopen
def dlopen(self, name, *flags):
    if hidden in str(name):
        raise OSError(f"cannot load library {name!r}")
    return load(self, name, *flags)
cffi.FFI.dlopen = dlopen
"""

COMMAND = HIDING + "from streams.__main__ import main; main()"

WRITTEN = """
import time
from streams.common import pdf
first = pdf.write("<p>验证码 68</p>")
now = time.time
time.time = lambda: now() + 86_400
print(first.startswith(b"%PDF-"), pdf.write("<p>验证码 68</p>") == first, pdf.has_subsetter())
"""

CHECKED = """
import json
from streams.config import Settings
from streams.tools.operate.local_checks import examine_role
found = {each.check: each for each in examine_role(Settings(), "desk", 0)}["pdf"]
print(json.dumps([found.state, found.says, found.remedy]))
"""

HERE = pdf.has_subsetter()
"""Whether this machine has the optional library: the tests pass without it too."""

MISSING = "apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


def run(program: str, hidden: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program where the native libraries with this text in their name cannot be loaded."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    environment |= {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "PYTHONWARNINGS": "default"}
    environment["PYTHONWARNINGS"] += ",ignore::ResourceWarning"  # weasyprint leaves a file open
    return subprocess.run(
        [sys.executable, "-c", program, hidden, *words], env=environment, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hidden", "subsetter"), [("no such library", HERE), ("harfbuzz-subset", False)]
)
def test_a_pdf_is_the_same_each_time_and_gives_no_warning(hidden: str, *, subsetter: bool) -> None:
    done = run(HIDING + WRITTEN, hidden)
    assert (done.stdout, done.stderr) == (f"True True {subsetter}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--month", "2026-11", "--pdf", "--out", "nowhere"),
        ("evidence", "make", "13900000001", "-o", "nowhere"),
    ],
)
def test_a_command_names_the_missing_packages_before_it_reads_anything(
    words: tuple[str, ...],
) -> None:
    """No broker runs here: a command that reads first would end with another error."""
    done = run(COMMAND, "pango", *words)
    assert (done.returncode, done.stdout) == (Exit.CONFIG, "")
    assert MISSING in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("hidden", "state", "advice"),
    [
        ("no such library", "ok" if HERE else "warn", ""),
        ("harfbuzz-subset", "warn", "apt install libharfbuzz-subset0"),
        ("pango", "bad", MISSING),
    ],
)
def test_doctor_checks_the_libraries(hidden: str, state: str, advice: str) -> None:
    done = run(HIDING + CHECKED, hidden)
    found, says, remedy = json.loads(done.stdout)
    assert found == state, done.stderr
    assert advice in says + remedy


def test_one_module_alone_imports_weasyprint() -> None:
    found = {
        str(file.relative_to(ROOT))
        for folder in ("detectors", "streams", "tests")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "weasyprint" in {getattr(node, "module", None), *(each.name for each in node.names)}
    }
    assert found == {str(Path("streams/common/pdf.py"))}
