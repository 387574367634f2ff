"""A clone by itself has all that its tests need: nothing lies beside it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.syntax import parsed
from tests.waiting import END_S

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of HEAD, alone in an empty folder."""
    folder = tmp_path_factory.mktemp("archive")
    packed = folder / "head.tar"
    subprocess.run(["git", "archive", "--output", packed, "HEAD"], cwd=ROOT, check=True)
    with tarfile.open(packed) as files:
        # Python knows filters from 3.11.4 on, Debian's is 3.11.2; the archive is of our own making.
        files.extraction_filter = getattr(tarfile, "data_filter", None)
        files.extractall(folder / "otpguard")
    packed.unlink()
    return folder / "otpguard"


def run_pytest(folder: Path, *words: str) -> str:
    """What pytest says in a folder, as in CI."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *words],
        cwd=folder,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.integration
def test_every_test_of_an_archive_is_collected(archive: Path) -> None:
    assert "error" not in run_pytest(archive, "--collect-only").lower().rpartition("\n\n")[2]


@pytest.mark.integration
def test_what_tests_read_beside_themselves_is_in_the_archive(archive: Path) -> None:
    said = run_pytest(archive, "tests/scenarios/test_detection.py", "-k", "real_conversations")
    assert "2 passed" in said


def test_no_path_leads_out_of_the_checkout() -> None:
    wrong = {
        path.relative_to(ROOT).as_posix(): too_far
        for folder in ("detectors", "streams", "deploy", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if (too_far := list(climbs(path.read_text(), len(path.relative_to(ROOT).parts))))
    }
    assert wrong == {}


def climbs(text: str, depth: int) -> Iterator[int]:
    """Yield n of each `…__file__….parents[n]` that leads above the root of a source.

    `depth` is the number of names in the source's own path.
    """
    for node in ast.walk(parsed(text)):
        match node:
            case ast.Subscript(
                value=ast.Attribute(value=start, attr="parents"), slice=ast.Constant(value=int(n))
            ) if n >= depth and "__file__" in ast.unparse(start):
                yield n


def test_a_path_out_of_the_checkout_is_seen() -> None:
    text = "FAR = GUIDE.parents[5]\nHERE = Path(__file__).parents[1]\n"
    text += 'TRACE = Path(__file__).parents[3] / "shared"\n'
    assert list(climbs(text, 3)) == [3]
    assert list(climbs(text, 4)) == []
