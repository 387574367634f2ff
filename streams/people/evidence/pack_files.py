"""File names inside an evidence pack."""

from typing import Final

MANIFEST: Final = "manifest.dsse.json"
RECORDS: Final = "records.jsonl"
PROOFS: Final = "proofs.json"
SIGNERS: Final = "signers.jsonl"
COVER: Final = "cover.json"
SETTINGS: Final = "settings.toml"
REGISTRY: Final = "registry.toml"
TOKEN: Final = "manifest.tsr"  # noqa: S105 - a file name, not a secret
STAMP: Final = "timestamp.dsse.json"
SHIPPED: Final = {
    "verify.py": "standalone.py",
    "README.txt": "README.txt",
}
"""File name in every pack -> source file in this package."""
