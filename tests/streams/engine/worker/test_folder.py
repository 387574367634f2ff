"""The worker's folder: what is wrong with it, and whether a start may mend it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from streams.common.errors import ConfigError, UnavailableError
from streams.engine.worker import app


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_at_the_start_may_have_room_at_the_next(
    full: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(**_: Any) -> None:
        raise OSError(full, os.strerror(full))

    monkeypatch.setattr(app, "TemporaryFile", none_left)
    with pytest.raises(UnavailableError, match=f"worker.data_dir {tmp_path}: "):
        app.check_folder(tmp_path)
    monkeypatch.setattr(app, "TemporaryFile", TemporaryFile)
    app.check_folder(tmp_path)


def test_a_folder_that_cannot_be_is_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory"):
        app.check_folder(tmp_path / "file" / "data")
