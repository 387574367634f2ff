"""Verify a pack or a signed report. The verifiers inside each pack apply the same rules.

The signed manifest lists every file of the folder with its digests, except four files: the manifest
itself, the proofs of an extract, the time-stamp token, and the signed record of the token. These
are protected in other ways.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from streams.evidence import envelope, names
from streams.evidence.canonical import FORMAT, REPORT_FORMAT, PackError, parsed, sha256, sm3
from streams.evidence.keys import PublicKeys, followed
from streams.evidence.stamp import check_token, stamp_value
from streams.evidence.tree import MerkleTree, leaf_hash, root_of
from streams.language import tr

BYTES_MAX: Final = 256 << 20
"""Maximum size of one file. A pack of a one-hour flood takes about 1 % of this."""


@dataclass(slots=True)
class PackVerdict:
    """Result of a verification. An empty `wrong` means that the pack is unchanged."""

    wrong: list[str] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    signer: str = ""
    extract: bool = False
    report: bool = False  # true for a monthly report, which has files but no records
    records: int = 0
    stamped: str = ""  # time that the token states; empty without a token
    stamp_checked: bool = False  # true if checked against the authority's certificate


def verify(folder: Path, trusted: str, *, authority: Path | None = None) -> PackVerdict:
    """Verify a pack and return the verdict. Never raises for a pack that was changed.

    `trusted`: fingerprint of the signer, obtained independently of the pack. `authority`:
    certificates of the time-stamping authority in PEM, if its token is to be checked.
    """
    told = PackVerdict()
    found: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.is_symlink() or path.stat().st_size > BYTES_MAX:
            told.wrong.append(tr("{name}: no plain file").format(name=path.name))
        else:
            found[path.name] = path.read_bytes()
    for step, name in _STEPS.items():
        try:
            told.wrong += step(found, trusted, told, authority)
        except PackError as error:
            told.wrong.append(tr("{name}: {what}").format(name=name, what=error))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
            told.wrong.append(tr("{name}: not of this format").format(name=name))
        if not told.manifest:
            break
    return told


_Found = dict[str, bytes]


def _manifest(found: _Found, trusted: str, told: PackVerdict, _: Path | None) -> Iterator[str]:
    data = found.get(names.MANIFEST, b"")
    told.report = envelope.kind_of(data) == envelope.REPORT
    kind = envelope.REPORT if told.report else envelope.MANIFEST
    value, signatures, message = envelope.opened(data, kind)
    if value["format"] != (REPORT_FORMAT if told.report else FORMAT):
        raise PackError(tr("another format"))
    keys = PublicKeys.of(value["signer"])
    told.signer, told.manifest = keys.fingerprint, value
    for what in envelope.check(signatures, message, keys):
        yield tr("{name}: {what}").format(name=names.MANIFEST, what=what)
    known = followed(trusted, envelope.successors(found.get(names.SIGNERS, b"")))
    if keys.fingerprint not in known:
        yield tr("signed by {fingerprint}, which is not the fingerprint that was given").format(
            fingerprint=keys.fingerprint
        )


def _files(found: _Found, _: str, told: PackVerdict, __: Path | None) -> Iterator[str]:
    told.extract = names.PROOFS in found and not told.report
    apart = {names.MANIFEST, names.TOKEN, names.STAMP, *([names.PROOFS] if told.extract else [])}
    listed = {each["path"]: each for each in told.manifest["files"]}
    for name in sorted(found.keys() - listed.keys() - apart):
        yield tr("{name}: not in the manifest").format(name=name)
    for name, said in listed.items():
        if told.extract and name in found and name not in names.OF_EXTRACT:
            yield tr("{name}: no file of an extract, it tells of all records").format(name=name)
        if told.extract and (name == names.RECORDS or name not in found):
            continue  # records are verified by their proofs; other files may be left out
        if name not in found:
            yield tr("{name}: missing").format(name=name)
            continue
        data = found[name]
        if (len(data), sha256(data), sm3(data)) != (said["bytes"], said["sha256"], said["sm3"]):
            yield tr("{name}: changed").format(name=name)


def _records(found: _Found, _: str, told: PackVerdict, __: Path | None) -> Iterator[str]:
    if told.report:
        return
    data = found.get(names.RECORDS, b"")
    lines = data.split(b"\n")
    if lines.pop():
        raise PackError(tr("the last line has no end"))
    told.records, size = len(lines), told.manifest["records"]
    root = bytes.fromhex(told.manifest["tree_root"])
    if told.extract:
        proofs = _proofs(found[names.PROOFS])
        numbers = [parsed(line)["n"] for line in lines]
        if not numbers:
            yield tr("an extract without a record")
        if [str(n) for n in sorted(set(numbers))] != sorted(proofs, key=int) or numbers != sorted(
            set(numbers)
        ):
            yield tr("proofs and records are not of the same lines")
        for n, line in zip(numbers, lines, strict=True):
            if root_of(leaf_hash(line), n, size, proofs.get(str(n), [])) != root:
                yield tr("record {n}: not of this pack").format(n=n)
        return
    before = sha256(f"{FORMAT}\n{told.manifest['episode']}".encode())
    for n, line in enumerate(lines):
        said = parsed(line)
        if (said["n"], said["prev"]) != (n, before):
            yield tr("record {n}: the chain is broken").format(n=n)
        before = sha256(line)
    if len(lines) != size or before != told.manifest["chain_head"]:
        yield tr("the chain does not end where the manifest says")
    if MerkleTree(lines).root != root:
        yield tr("the tree has another root than the manifest says")


def _proofs(data: bytes) -> dict[str, list[bytes]]:
    if not data.endswith(b"\n"):
        raise PackError(tr("the proofs have no end"))
    proofs = {}
    for n, path in parsed(data[:-1]).items():
        proofs[n] = [bytes.fromhex(each) for each in path]
        if str(int(n)) != n or [each.hex() for each in proofs[n]] != path:
            raise PackError(tr("proofs are not written canonically"))
    return proofs


def _stamp(found: _Found, _: str, told: PackVerdict, authority: Path | None) -> Iterator[str]:
    token, record = found.get(names.TOKEN), found.get(names.STAMP)
    if token is None and record is None:
        if authority is not None:
            yield tr("{name}: missing; a time stamp was to be checked").format(name=names.TOKEN)
        return
    if token is None or record is None:
        raise PackError(tr("a token and the record of it belong together"))
    value, signatures, message = envelope.opened(record, envelope.TIMESTAMP)
    keys = PublicKeys.of(told.manifest["signer"])
    if envelope.check(signatures, message, keys):
        yield tr("{name}: not signed by the signer of the manifest").format(name=names.STAMP)
    if value != stamp_value(found[names.MANIFEST], token):
        yield tr("{name}: changed, or of another pack").format(name=names.TOKEN)
        return
    checked = check_token(token, found[names.MANIFEST], authority)
    told.stamped = checked.at.astimezone(dt.UTC).isoformat()
    told.stamp_checked = authority is not None


_STEPS: Final = {
    _manifest: names.MANIFEST,
    _files: names.MANIFEST,
    _records: names.RECORDS,
    _stamp: names.TOKEN,
}
"""Verification steps in order, and the file that an error message of each step names."""
