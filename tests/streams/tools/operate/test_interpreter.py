"""Which Python makes the environment: one that was built with its compiler's profile, if any is."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.bench.report import DISTRIBUTION, OPTION, is_optimised

ROOT = Path(__file__).parents[4]


def test_what_this_python_says_decides() -> None:
    options = str(sysconfig.get_config_var("CONFIG_ARGS"))
    assert is_optimised() is (sys.base_prefix == DISTRIBUTION or OPTION in options)
    assert not is_optimised("'--with-lto'", "/usr/local")
    assert not is_optimised("None", "/home/me/python")
    assert is_optimised("'--enable-optimizations' '--with-lto'", "/usr/local")


@pytest.mark.parametrize("first", ["python3", "python3.13"])
def test_the_makefile_takes_the_first_that_was_tuned(tmp_path: Path, first: str) -> None:
    """Each stands for an interpreter that says of itself what its build was, or cannot be used."""
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        says = "exit 1" if name == "python3.14" else f'echo "{int(name < first)} $3"'
        (tmp_path / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / name).chmod(0o755)
    rule = 'chosen: ; @echo "$(PYTHON)"'
    found = subprocess.run(
        ["make", "--no-print-directory", f"--eval={rule}", "chosen"],
        cwd=ROOT, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert found.stdout.split() == [first]
