"""A pack as files: the same each time but for the time of signing, and cut down for a platform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.common.errors import UsageError
from streams.people.evidence import signed_envelope as envelope, standalone
from streams.people.evidence.canonical import entry, parse_canonical
from streams.people.evidence.pack import extract, list_shipped, make, write
from streams.people.evidence.pack_files import COVER, MANIFEST, PROOFS, RECORDS, SHIPPED
from streams.people.evidence.verify import verify
from tests.enforce.records import RECIPIENT
from tests.streams.people.evidence.packs import SHOP, chosen, fingerprint, making, pack


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_pack_made_again_differs_in_the_time_of_signing_alone(tmp_path: Path) -> None:
    first, again = pack(tmp_path), tmp_path / "again"
    manifest = make(chosen(), making("2026-03-07T09:00:00Z"), again)
    assert names(first) == names(again)
    other = {n for n in names(first) if (first / n).read_bytes() != (again / n).read_bytes()}
    assert other == {MANIFEST}
    value, _, _ = envelope.open_envelope((first / MANIFEST).read_bytes(), standalone.MANIFEST)
    assert value["made"].pop("at") != manifest["made"].pop("at")
    assert value == manifest


def test_the_manifest_says_what_the_format_asks(tmp_path: Path) -> None:
    folder = pack(tmp_path)
    value, _, _ = envelope.open_envelope((folder / MANIFEST).read_bytes(), standalone.MANIFEST)
    assert set(value) == {
        "chain_head", "episode", "files", "format", "gaps", "made", "method", "records", "signer",
        "tree_root",
    }  # fmt: skip
    assert value["format"] == standalone.FORMAT
    assert value["files"] == [
        entry(name, (folder / name).read_bytes()) for name in sorted(names(folder) - {MANIFEST})
    ]
    assert RECIPIENT not in json.dumps(value)


def test_the_request_is_on_the_cover_and_not_to_be_guessed_from_the_manifest(
    tmp_path: Path,
) -> None:
    cover = parse_canonical((pack(tmp_path) / COVER).read_bytes().rstrip(b"\n"))
    assert cover["request"]["document_no"] == "调证字〔2026〕17号"
    assert len(cover["salt"]) == 32


def test_a_platform_gets_its_own_messages_and_no_number(tmp_path: Path) -> None:
    folder, own = pack(tmp_path), tmp_path / "own"
    assert extract(folder, SHOP, own) == 3
    assert names(own) == {MANIFEST, RECORDS, PROOFS, *SHIPPED}
    said = [json.loads(line)["record"] for line in (own / RECORDS).read_bytes().splitlines()]
    assert {each["platform"] for each in said} == {SHOP}
    assert [each.get("message_id") for each in said] == [None, "m-8", "m-11"]
    everything = b"".join(path.read_bytes() for path in own.iterdir())
    for secret in (RECIPIENT, "示例出行", "调证字", "10690000000212"):
        assert secret.encode() not in everything
    told = verify(own, fingerprint())
    assert not told.wrong
    assert told.extract
    assert told.records == 3


def test_a_platform_of_whom_nothing_is_there_gets_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no record of a single message"):
        extract(pack(tmp_path), "sig:别家", tmp_path / "own")
    with pytest.raises(UsageError):
        extract(tmp_path / "nowhere", SHOP, tmp_path / "own")


def test_a_pack_overwrites_nothing_and_is_its_owners(tmp_path: Path) -> None:
    write(tmp_path / "new", {"a": b"b"})
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="exists"):
        write(tmp_path / "new", {})
    assert set(list_shipped()) == set(SHIPPED)
