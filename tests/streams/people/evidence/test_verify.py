"""The program's own verification: a pack as it was made, and one byte of it that is another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from streams.people.evidence.pack_files import MANIFEST, PROOFS, RECORDS, SIGNERS
from streams.people.evidence.signed_envelope import kind_of
from streams.people.evidence.verify import verify
from tests.streams.people.evidence.altered import ALTERED
from tests.streams.people.evidence.packs import broken, fingerprint, pack
from tests.streams.people.evidence.tsa import whole


def test_a_pack_is_verified_as_it_was_made(tmp_path: Path) -> None:
    told = verify(pack(tmp_path), fingerprint())
    assert (told.wrong, told.extract, told.records) == ([], False, 16)
    assert told.signer == fingerprint()


def test_a_good_pack_of_another_signer_is_not_verified(tmp_path: Path) -> None:
    (wrong,) = verify(pack(tmp_path), fingerprint("another")).wrong
    assert "not by the signer who was given" in wrong


def test_who_knows_an_earlier_key_can_check_by_the_list(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole()["pack"], tmp_path / "pack"))
    for trusted in ("before", "signer"):
        assert not verify(folder, fingerprint(trusted)).wrong
    assert verify(folder, fingerprint("another")).wrong
    (folder / SIGNERS).unlink()
    assert verify(folder, fingerprint("before")).wrong


@settings(deadline=None, max_examples=60)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["pack", "extract"])
def test_every_changed_byte_of_every_file_is_found(kind: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(whole()[kind].iterdir())))
    before = path.read_bytes()
    place, by = data.draw(st.integers(0, 1 << 24)), data.draw(st.integers(1, 255))
    path.write_bytes(broken(before, place, by))
    try:
        assert verify(whole()[kind], fingerprint("before")).wrong
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("kind", ["pack", "extract"])
def test_a_file_more_or_a_line_less_is_found(kind: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole()[kind], tmp_path / "pack"))
    (folder / "more").write_bytes(b"")
    assert verify(folder, fingerprint()).wrong == ["more: not in the manifest"]
    (folder / "more").unlink()
    lines = (folder / RECORDS).read_bytes().splitlines(keepends=True)
    for changed in (lines[:-1], lines[1:], [*lines, lines[-1]], [lines[1], lines[0], *lines[2:]]):
        (folder / RECORDS).write_bytes(b"".join(changed))
        assert verify(folder, fingerprint()).wrong
    (folder / RECORDS).write_bytes(b"".join(lines))
    (folder / "inner").mkdir()
    assert verify(folder, fingerprint()).wrong == ["inner: no plain file"]


@pytest.mark.parametrize("how", ALTERED)
def test_what_anybody_can_make_of_a_pack_is_refused(how: str, tmp_path: Path) -> None:
    assert verify(ALTERED[how](tmp_path), fingerprint()).wrong


@pytest.mark.parametrize("name", [MANIFEST, SIGNERS, RECORDS])
def test_a_file_that_nests_without_end_is_found(name: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole()["pack"], tmp_path / "pack"))
    for depth in (*range(890, 1_000), 100_000):  # one of them is too deep for the writer alone
        nested = b'{"a":' * depth + b"0" + b"}" * depth + b"\n"
        (folder / name).write_bytes(nested)
        assert verify(folder, fingerprint()).wrong
        assert kind_of(nested) == ""


def test_a_file_whose_names_are_no_unicode_is_found(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole()["pack"], tmp_path / "pack"))
    (folder / MANIFEST).write_bytes(b'{"\\ud800":1}\n')
    assert verify(folder, fingerprint()).wrong
    assert kind_of(b'{"\\ud800":1}\n') == ""


def test_a_missing_file_is_found_and_an_extract_is_never_called_whole(
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(whole()["pack"], tmp_path / "pack"))
    (folder / "report.zh.pdf").unlink()
    assert verify(folder, fingerprint()).wrong == ["report.zh.pdf: missing"]
    (folder / PROOFS).write_bytes(b"{}\n")
    assert verify(folder, fingerprint()).wrong
    (folder / MANIFEST).unlink()
    assert verify(folder, fingerprint()).wrong
