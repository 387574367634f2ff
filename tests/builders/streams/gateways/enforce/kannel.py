"""Builders that test_kannel.py shares with other tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enforce.kannel_world import KannelWorld, kannel_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[KannelWorld]:
    with kannel_world(tmp_path) as made:
        yield made
