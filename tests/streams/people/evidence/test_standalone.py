"""The verifier for strangers: the standard library and openssl alone, on its own as a program."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from streams.people.evidence import standalone
from streams.people.evidence.pack_files import TOKEN
from tests.builders.architecture import imports
from tests.streams.people.evidence.altered import ALTERED
from tests.streams.people.evidence.packs import broken, fingerprint, pack
from tests.streams.people.evidence.tsa import whole


def test_it_imports_nothing_but_the_standard_library() -> None:
    text = Path(standalone.__file__).read_text("utf-8")
    assert {name.partition(".")[0] for name in imports(text)} <= sys.stdlib_module_names


def test_it_is_written_for_the_oldest_python_that_it_names() -> None:
    text = Path(standalone.__file__).read_text("utf-8")
    ast.parse(text, feature_version=(3, 8))
    # Python 3.8 cannot evaluate `list[bytes]` in an annotation, so annotations stay unevaluated.
    assert "from __future__ import annotations" in text
    assert "-> list[" in text


@pytest.mark.parametrize("kind", ["pack", "extract"])
def test_it_runs_from_the_pack_without_any_package(kind: str) -> None:
    folder = whole()[kind]
    words = [sys.executable, "-I", "-S", str(folder / "verify.py"), str(folder)]
    more = ["--fingerprint", fingerprint(), "--tsa-ca", str(whole()["authority"])]
    done = subprocess.run([*words, *more], check=False, capture_output=True, text=True)
    last = done.stdout.splitlines()[-1]
    if kind == "pack":
        assert (done.returncode, last) == (0, "VERIFIED 校验通过"), done.stdout
        assert "16 of 16 records" in done.stdout
    else:
        assert (done.returncode, last.split()[0]) == (4, "EXTRACT"), done.stdout
        assert "3 of 16 records" in done.stdout
        assert "VERIFIED" not in done.stdout
    done = subprocess.run(
        [*words, "--fingerprint", fingerprint("another")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "not by the signer" in done.stdout) == (1, True)


def test_a_file_of_a_pack_cannot_command_the_terminal(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole()["pack"], tmp_path / "pack"))
    (folder / "x\x1b]52;c;cm0=\x07").write_bytes(b"")
    done = ran(["pack", "--fingerprint", fingerprint()], {}, tmp_path)
    assert done.returncode == 1
    assert r"x\x1b]52;c;cm0=\x07: not in the manifest" in done.stdout
    assert "".join(done.stdout.split()).isprintable()


@pytest.mark.parametrize("how", ALTERED)
def test_what_anybody_can_make_of_a_pack_is_refused(how: str, tmp_path: Path) -> None:
    assert standalone.verify(ALTERED[how](tmp_path), fingerprint())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere", "--fingerprint", "0" * 64], "nowhere: no such folder"),
        ([".", "--fingerprint", "zz"], "64 hex digits"),
        ([".", "--fingerprint", "0" * 64, "--tsa-ca", "nofile"], "nofile: no such file"),
    ],
)
def test_what_keeps_it_from_checking_is_no_verdict(
    tmp_path: Path, words: list[str], says: str
) -> None:
    done = ran(words, {}, tmp_path)
    assert (done.returncode, says in done.stdout, done.stderr) == (2, True, "")
    assert "VERIFIED" not in done.stdout


@pytest.mark.parametrize("version", [None, "LibreSSL 3.3.6", "OpenSSL 1.1.1w  11 Sep 2023"])
def test_an_openssl_that_cannot_check_calls_no_pack_bad(
    tmp_path: Path, version: str | None
) -> None:
    if version is not None:
        (tmp_path / "openssl").write_text(f"#!/bin/sh\necho '{version}'\n")
        (tmp_path / "openssl").chmod(0o700)
    done = ran([str(whole()["pack"]), "--fingerprint", fingerprint()], {"PATH": str(tmp_path)})
    assert (done.returncode, done.stderr) == (2, "")
    assert "openssl 3 or newer" in done.stdout
    assert (version or "none") in done.stdout


def test_a_stamp_that_is_to_be_checked_and_is_not_there_is_found(tmp_path: Path) -> None:
    folder = pack(tmp_path)
    assert standalone.verify(folder, fingerprint()) == []
    wrong = standalone.verify(folder, fingerprint(), str(whole()["authority"]))
    assert wrong == [f"{TOKEN}: missing; a time stamp was to be checked"]


def ran(
    words: list[str], environment: dict[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-I", "-S", standalone.__file__, *words]
    return subprocess.run(program, check=False, capture_output=True, text=True, cwd=folder,
                          env={**os.environ, **environment})  # fmt: skip


def test_a_list_of_successors_is_followed() -> None:
    assert standalone.verify(whole()["pack"], fingerprint("before")) == []


def test_another_authority_is_found(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes((whole()["authority"].parent / "tsa.pem").read_bytes())
    wrong = standalone.verify(whole()["pack"], fingerprint(), str(tmp_path / "ca.pem"))
    assert wrong == [f"{TOKEN}: the authority's signature is not good"]


@settings(deadline=None, max_examples=20)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["pack", "extract"])
def test_every_changed_byte_of_every_file_is_found(kind: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(whole()[kind].iterdir())))
    before = path.read_bytes()
    place, by = data.draw(st.integers(0, 1 << 24)), data.draw(st.integers(1, 255))
    path.write_bytes(broken(before, place, by))
    try:
        assert standalone.verify(whole()[kind], fingerprint("before"))
    finally:
        path.write_bytes(before)
