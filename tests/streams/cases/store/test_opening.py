"""The store that the settings name, and whether there is one."""

from __future__ import annotations

from pathlib import Path

from streams.cases.store.opening import open_store, there
from streams.config import Settings
from tests.enforce.records import RECIPIENT


def test_the_settings_open_the_store_with_its_keys(tmp_path: Path) -> None:
    (tmp_path / "k1").write_bytes(b"0123456789abcdef")
    settings = Settings(
        desk={
            "store": f"sqlite:///{tmp_path / 'desk.db'}",
            "token_key_files": {"k1": tmp_path / "k1"},
        }
    )
    assert not there(settings)
    store = open_store(settings)
    assert there(settings)
    assert len(store.forms(RECIPIENT)) == 2
    store.close()


def test_a_server_is_taken_at_its_word() -> None:
    assert there(Settings(desk={"store": "postgresql+psycopg://otpguard@db/otpguard"}))
