"""The pack key as settings and options name it: one of them, and the option first."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.common.errors import ConfigError
from streams.config import Settings
from streams.people.evidence.signer import signer
from tests.streams.people.evidence.packs import key


def kept(folder: Path, name: str) -> Path:
    path = folder / f"{name}.pem"
    path.write_text(key(name).to_pem(), "ascii")
    path.chmod(0o600)
    return path


def test_the_option_counts_before_the_settings(tmp_path: Path) -> None:
    settings = Settings(evidence={"key_file": kept(tmp_path, "signer")})
    assert signer(settings).public == key().public
    assert signer(settings, str(kept(tmp_path, "another"))).public == key("another").public
    assert settings.evidence.has_key


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    assert not Settings().evidence.has_key
    with pytest.raises(ConfigError, match="no pack key"):
        signer(Settings())
    (tmp_path / "empty").touch(0o600)
    with pytest.raises(ConfigError, match="one file"):
        signer(Settings(), str(tmp_path / "empty"))


def test_two_keys_in_the_settings_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="one pack key"):
        Settings(evidence={"key_file": kept(tmp_path, "signer"), "key": key().to_pem()})
