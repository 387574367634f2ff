"""Sign a monthly report like a pack: its files, a manifest with their digests, the verifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streams import __version__
from streams.evidence import envelope
from streams.evidence.canonical import REPORT_FORMAT, entry
from streams.evidence.keys import PackSigner
from streams.evidence.names import MANIFEST, SIGNERS
from streams.evidence.pack import shipped, write

METHOD: Final = (
    "Files: SHA-256 and SM3 (GB/T 32905-2016). Signatures: DSSE v1, Ed25519 (RFC 8032) and ECDSA "
    "on P-256 with SHA-256 as r and the lower s, in this order; both have to be good. The signer's "
    "fingerprint, SHA-256 over both public keys in DER, is to be had from the signer."
)


@dataclass(frozen=True, slots=True)
class ReportSeal:
    """The signing key and the facts that the manifest of a signed report states."""

    key: PackSigner
    at: str  # time of signing, ISO 8601
    by: str  # organisational unit that signs
    config: str  # fingerprint of the settings
    signers: bytes = b""  # signed list of successor keys, if the key was ever changed


def seal_report(
    month: str, contents: Mapping[str, bytes], seal: ReportSeal, folder: Path
) -> dict[str, Any]:
    """Write a monthly report and its signature into a new folder. Return the manifest.

    Raises UsageError if the folder exists, because signed files must not be overwritten.
    """
    written = {**contents, **shipped()}
    if seal.signers:
        written[SIGNERS] = seal.signers
    manifest = {
        "files": [entry(path, written[path]) for path in sorted(written)],
        "format": REPORT_FORMAT,
        "made": {
            "at": seal.at,
            "by": seal.by,
            "config": seal.config,
            "program": f"otpguard {__version__}",
        },
        "method": METHOD,
        "month": month,
        "signer": seal.key.public.document(),
    }
    written[MANIFEST] = envelope.signed(seal.key, envelope.REPORT, manifest)
    write(folder, written)
    return manifest
