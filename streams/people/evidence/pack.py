"""Write a case as an evidence pack, cut a pack down to one platform, and sign monthly reports."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

from streams import __version__
from streams.common import ConfigError, UsageError, read_bytes, tr, unwritten, utc
from streams.config import Settings
from streams.people.evidence import signed_envelope as envelope, standalone
from streams.people.evidence.canonical import (
    PackError,
    canonical,
    entry,
    parse_canonical,
    sm3,
)
from streams.people.evidence.gaps import documents, gaps
from streams.people.evidence.pack_files import (
    COVER,
    MANIFEST,
    PROOFS,
    RECORDS,
    REGISTRY,
    SETTINGS,
    SHIPPED,
    SIGNERS,
    STAMP,
    TOKEN,
)
from streams.people.evidence.pack_keys import PackKey
from streams.people.evidence.pack_records import SINGLE, Chosen, lines_of
from streams.people.evidence.pack_report import Cover, Seal, pages
from streams.people.evidence.tree import prove

METHOD: Final = (
    "records.jsonl: one record a line, JSON by RFC 8785. Each line's prev is the SHA-256 of the "
    "line before without its end; the first's that of '"
    + standalone.FORMAT
    + "', a line feed and the "
    "episode's id. chain_head is the SHA-256 of the last line. tree_root is the Merkle tree hash "
    "of RFC 9162, 2.1, over the lines. Messages of an incident's record are lines of their own, "
    "and their number stands in their place. Files: SHA-256 and SM3 (GB/T 32905-2016). Signatures: "
    "DSSE v1, Ed25519 (RFC 8032) and ECDSA on P-256 with SHA-256 as r and the lower s, in this "
    "order; both have to be good. "
    "The signer's fingerprint, SHA-256 over both public keys in DER, is to be had from the signer."
)


REPORT_METHOD: Final = (
    "Files: SHA-256 and SM3 (GB/T 32905-2016). Signatures: DSSE v1, Ed25519 (RFC 8032) and ECDSA "
    "on P-256 with SHA-256 as r and the lower s, in this order; both have to be good. The signer's "
    "fingerprint, SHA-256 over both public keys in DER, is to be had from the signer."
)


@dataclass(frozen=True, slots=True)
class Making:
    """Everything that a pack needs besides its records."""

    key: PackKey
    at: str  # time of signing, ISO 8601
    cover: Cover
    settings: str  # the settings that decisions depend on, as TOML
    fingerprint: str  # fingerprint of these settings
    signers: bytes = b""  # signed list of successor keys, if the key was ever changed
    more: Mapping[str, bytes] = field(default_factory=dict)  # further files named in the settings

    @classmethod
    def of(cls, settings: Settings, key: PackKey, cover: Cover, at_ms: int) -> Self:
        """Take the other fields from the settings. Raise ConfigError if a file is missing."""
        from streams.people.evidence.repeat import settings_text  # noqa: PLC0415 - imports numpy

        registry, signers = settings.recognise.registry_file, settings.evidence.signers_file
        return cls(
            key=key,
            at=utc(at_ms),
            cover=cover,
            settings=settings_text(settings),
            fingerprint=settings.fingerprint(),
            signers=read_bytes(signers) if signers else b"",
            more={REGISTRY: read_bytes(registry)} if registry else {},
        )


def make(chosen: Chosen, making: Making, folder: Path) -> dict[str, Any]:
    """Write a pack into a new folder and return its manifest.

    Raises UsageError if the folder exists or the records cannot be packed. Raises ConfigError if
    verifiers would reject the list of successors.
    """
    key = making.key
    try:
        envelope.successors(making.signers)
    except PackError as error:
        raise ConfigError(tr("evidence.signers_file: {error}").format(error=error)) from None
    try:
        lines = lines_of(key, chosen.episode_id, chosen.records)
    except PackError as error:
        raise UsageError(tr("no pack: {error}").format(error=error)) from None
    records = b"".join(line + b"\n" for line in lines)
    tree_root = standalone.root_over([standalone.leaf(line) for line in lines]).hex()
    found = list(gaps(chosen, making.fingerprint))
    seal = Seal(
        signer=key.public.fingerprint,
        chain_head=standalone.sha256(lines[-1]),
        tree_root=tree_root,
        sha256=standalone.sha256(records),
        sm3=sm3(records),
        bytes=len(records),
        lines=len(lines),
        program=f"otpguard {__version__}",
        config=chosen.case.last.config,
    )
    cover = {"salt": key.salt(chosen.episode_id, COVER), **making.cover.document()}
    written = {
        RECORDS: records,
        COVER: canonical(cover) + b"\n",
        SETTINGS: making.settings.encode(),
        **pages(chosen, making.cover, seal, records, found),
        **list_shipped(),
        **making.more,
    }
    manifest = {
        "chain_head": seal.chain_head,
        "episode": chosen.episode_id,
        "format": standalone.FORMAT,
        "gaps": documents(found),
        "made": {
            "at": making.at,
            "by": making.cover.unit,
            "config": seal.config,
            "program": seal.program,
        },
        "method": METHOD,
        "records": len(lines),
        "tree_root": tree_root,
    }
    return _write_signed(folder, written, making.signers, key, standalone.MANIFEST, manifest)


def _write_signed(
    folder: Path,
    written: dict[str, bytes],
    signers: bytes,
    key: PackKey,
    kind: str,
    manifest: dict[str, Any],
) -> dict[str, Any]:
    """Write files and a manifest of them that the key signs, and return the manifest."""
    if signers:
        written[SIGNERS] = signers
    manifest["files"] = [entry(path, written[path]) for path in sorted(written)]
    manifest["signer"] = key.public.document()
    manifest = dict(sorted(manifest.items()))
    written[MANIFEST] = envelope.sign_value(key, kind, manifest)
    write(folder, written)
    return manifest


def extract(pack: Path, platform: str, folder: Path) -> int:
    """Write an extract: one platform's records of a pack, with proofs. Return their number.

    All other records are left out. Their hashes would not hide them: all seven billion possible
    phone numbers can be tried within hours. Raises UsageError if the platform has no record, or if
    the pack is incomplete or cannot be read.
    """
    try:
        lines = (pack / RECORDS).read_bytes().splitlines()
        kept = {name: (pack / name).read_bytes() for name in (MANIFEST, *SHIPPED)}
        for name in (SIGNERS, TOKEN, STAMP):
            if (pack / name).exists():
                kept[name] = (pack / name).read_bytes()
        manifest, _, _ = envelope.open_envelope(kept[MANIFEST], standalone.MANIFEST)
        root = standalone.root_over([standalone.leaf(line) for line in lines]).hex()
        whole = isinstance(manifest, dict) and manifest.get("tree_root") == root
        own = [
            n
            for n, line in enumerate(map(parse_canonical, lines if whole else ()))
            if line["kind"] in SINGLE and line["record"].get("platform") == platform
        ]
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    except PackError as error:
        raise UsageError(tr("{pack}: {error}").format(pack=pack, error=error)) from None
    if not whole:  # the proofs would not lead to the signed root
        raise UsageError(
            tr("{pack}: its records are not those that were signed, or it is an extract").format(
                pack=pack
            )
        )
    if not own:
        raise UsageError(
            tr("{pack}: no record of a single message of {platform}").format(
                pack=pack, platform=platform
            )
        )
    _, found = prove(lines, own)
    proofs = {str(n): [each.hex() for each in path] for n, path in found.items()}
    kept[RECORDS] = b"".join(lines[n] + b"\n" for n in own)
    kept[PROOFS] = canonical(proofs) + b"\n"
    write(folder, kept)
    return len(own)


def list_shipped() -> dict[str, bytes]:
    """Return the files that every pack contains: the verifier and the instructions."""
    here = files("streams.people.evidence")
    return {name: here.joinpath(source).read_bytes() for name, source in SHIPPED.items()}


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a new folder with mode 0700. After an error the folder is removed.

    Raises UnavailableError if the disk is full while files are written, UsageError for any other
    reason, for example a folder that exists.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    try:
        for name, data in contents.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # half a pack could be taken for a complete one
        raise unwritten(folder, error) from None


def seal_report(
    month: str,
    contents: Mapping[str, bytes],
    folder: Path,
    *,
    key: PackKey,
    at: str,
    by: str,
    config: str,
    signers: bytes = b"",
) -> dict[str, Any]:
    """Write a monthly report and its signature into a new folder. Return the manifest.

    `key` signs at `at` (ISO 8601) for the unit `by`. `config`: fingerprint of the settings.
    `signers`: signed list of successor keys, if the key was ever changed.

    Raises UsageError if the folder exists, because signed files must not be overwritten.
    """
    manifest = {
        "format": standalone.REPORT_FORMAT,
        "made": {
            "at": at,
            "by": by,
            "config": config,
            "program": f"otpguard {__version__}",
        },
        "method": REPORT_METHOD,
        "month": month,
    }
    written = {**contents, **list_shipped()}
    return _write_signed(folder, written, signers, key, standalone.REPORT, manifest)
