"""Builders that test_load.py shares with other tests."""

from __future__ import annotations

from pathlib import Path


def written(folder: Path, text: str) -> Path:
    path = folder / "otpguard.toml"
    path.write_text(text, encoding="utf-8")
    return path
