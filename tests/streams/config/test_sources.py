"""Settings are looked for in a file and in the environment; a wrong one is refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.common.files import read_toml
from streams.config import Settings
from streams.config.load import read_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("OTPGUARD_")]:
        monkeypatch.delenv(name)


def test_what_is_written_nowhere_is_a_default() -> None:
    assert read_settings({}).model_dump() == Settings().model_dump()


def test_the_environment_lies_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text("epoch = 3\n[detect]\nlease_s = 300\nquiet_s = 1200\n", encoding="utf-8")
    monkeypatch.setenv("OTPGUARD_DETECT_LEASE_S", "360")
    settings = read_settings(read_toml(path))
    assert (settings.epoch, settings.detect.lease_s, settings.detect.quiet_s) == (3, 360, 1200)
    assert isinstance(settings, Settings)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text("[detect]\nlease = 300\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="lease"):
        read_settings(read_toml(path))
