"""Small files in one piece: an old one or a new one, whatever goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.files import replace_file
from tests.full_disk import no_room


def test_a_file_is_replaced_with_the_rights_that_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    for content in (b"one", b"another"):
        replace_file(path, content, mode=0o600)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    replace_file(path, b"old")
    with no_room(100), pytest.raises(OSError, match="too large"):
        replace_file(path, b"new" * 1_000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
