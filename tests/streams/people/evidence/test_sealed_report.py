"""A month's report, signed: verified by the program and by strangers, and no byte of it is free."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from streams.common.errors import UsageError
from streams.people.evidence import standalone
from streams.people.evidence.pack_files import MANIFEST, PROOFS, RECORDS
from streams.people.evidence.verify import verify
from tests.builders.streams.people.evidence.sealed_report import sealed
from tests.streams.people.evidence.packs import broken, fingerprint, pack


def test_a_report_is_verified_as_it_was_made(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    for trusted in (fingerprint(), fingerprint("before")):
        told = verify(folder, trusted)
        assert (told.wrong, told.report, told.extract) == ([], True, False)
        assert standalone.verify(folder, trusted) == []
    for trusted in (fingerprint("another"), ""):
        assert verify(folder, trusted).wrong
        assert standalone.verify(folder, trusted)


def test_its_own_verifier_runs_without_any_package(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    words = [sys.executable, "-I", "-S", str(folder / "verify.py"), str(folder)]
    done = subprocess.run(
        [*words, "--fingerprint", fingerprint()], check=False, capture_output=True, text=True
    )
    assert "report of 2026-11, made by 某公司" in done.stdout
    assert "VERIFIED 校验通过" in done.stdout


def test_what_was_signed_is_not_written_over(tmp_path: Path) -> None:
    sealed(tmp_path)
    with pytest.raises(UsageError, match="exists"):
        sealed(tmp_path)


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_changed_byte_of_every_file_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = sealed(tmp_path_factory.mktemp("report"))
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    before = path.read_bytes()
    place, by = data.draw(st.integers(0, 1 << 24)), data.draw(st.integers(1, 255))
    path.write_bytes(broken(before, place, by))
    assert verify(folder, fingerprint()).wrong
    assert standalone.verify(folder, fingerprint())


def test_no_file_can_be_left_out_by_calling_it_an_extract(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    (folder / "otpguard-2026-11.json").unlink()
    (folder / PROOFS).write_bytes(b"{}\n")
    (folder / RECORDS).write_bytes(b"")
    for wrong in (verify(folder, fingerprint()).wrong, standalone.verify(folder, fingerprint())):
        assert "otpguard-2026-11.json: missing" in wrong
        assert f"{PROOFS}: not in the manifest" in wrong


def test_a_pack_is_no_report_and_a_report_no_pack(tmp_path: Path) -> None:
    """The kind of a manifest is signed with it, so neither passes by the other's looser rules."""
    report, case = sealed(tmp_path), pack(tmp_path)
    for folder in (report, case):
        data = (folder / MANIFEST).read_bytes()
        other = b"vnd.otpguard.evidence.v1", b"vnd.otpguard.report.v1"
        changed = data.replace(*(other if folder == case else other[::-1]))
        assert changed != data
        (folder / MANIFEST).write_bytes(changed)
        assert verify(folder, fingerprint()).wrong
        assert standalone.verify(folder, fingerprint())
