"""Builders that test_manifests.py shares with other tests."""

from __future__ import annotations

import re

from tests.deploy.tools import ROOT


def pins(lock: str) -> dict[str, str]:
    """Package -> version, of a lock."""
    text = (ROOT / "deploy" / "locks" / f"{lock}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", text, re.MULTILINE))
