"""Names of the files of a pack."""

from __future__ import annotations

from typing import Final

MANIFEST: Final = "manifest.dsse.json"
RECORDS: Final = "records.jsonl"
PROOFS: Final = "proofs.json"
SIGNERS: Final = "signers.jsonl"
COVER: Final = "cover.json"
SETTINGS: Final = "settings.toml"
REGISTRY: Final = "registry.toml"
TOKEN: Final = "manifest.tsr"  # noqa: S105 - a file's name
STAMP: Final = "timestamp.dsse.json"
SHIPPED: Final = {
    "verify.py": "standalone.py",
    "verify.html": "verify.html",
    "README.txt": "README.txt",
}
"""Files of every pack -> those of this package that they are."""
OF_EXTRACT: Final = frozenset({RECORDS, SIGNERS, *SHIPPED})
"""Files of the manifest that may lie in an extract. Others tell of records that it leaves out."""
