"""Damages files as a disk or a network may do."""

from __future__ import annotations


def damaged(packed: bytes) -> bytes:
    """A gzip file with bits that fell over early in it; its head and its end are as they were."""
    return packed[:40] + b"\xff" * 8 + packed[48:]
