"""Builders that test_rebuild.py shares with other tests."""

from __future__ import annotations

from streams.cases.store.rebuild import TableCheck


def told(found: list[TableCheck]) -> dict[str, tuple[int, int, int]]:
    return {
        each.table: (each.missing, each.different, each.beyond)
        for each in found
        if each.missing or each.different or each.beyond
    }
