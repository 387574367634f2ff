"""Builders that test_sealed_report.py shares with other tests."""

from __future__ import annotations

from pathlib import Path

from streams.people.evidence.pack import seal_report
from streams.people.evidence.signed_envelope import succession
from tests.streams.people.evidence.packs import key

CONTENTS = {"otpguard-2026-11.html": b"<p>68</p>", "otpguard-2026-11.json": b'{"floods":68}'}


def sealed(folder: Path) -> Path:
    signers = succession(key("before"), key().public, "2026-01-01T00:00:00Z")
    seal_report(
        "2026-11", CONTENTS, folder / "report", key=key(), at="2026-12-01T02:00:00Z", by="某公司",
        config="f" * 64, signers=signers,
    )  # fmt: skip
    return folder / "report"
