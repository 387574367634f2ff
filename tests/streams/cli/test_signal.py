"""`otpguard signal` as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from streams.common.errors import ConfigError, UnavailableError
from tests.streams.cli.called import called, refused, settings_file


def test_the_description_is_written_as_it_is() -> None:
    assert (
        yaml.safe_load(called("signal", "openapi"))["info"]["title"] == "Verification Flood Signal"
    )


def test_serving_needs_a_broker_and_settings(tmp_path: Path) -> None:
    store = f'desk.store = "sqlite:///{tmp_path / "desk.db"}"'
    refused(ConfigError, "nobody may ask", "signal", "serve", "-c", settings_file(tmp_path, store))
    (tmp_path / "clients").write_text(f'[bank-1]\ncertificate_sha256 = "{"0" * 64}"\n')
    lines = (store, "[signal]", f'clients_file = "{tmp_path / "clients"}"')
    words = ("signal", "serve", "-c")
    refused(UnavailableError, "no broker answers", *words, settings_file(tmp_path, *lines))
    for name, content, says in (("absent", None, "No such file"), ("rubbish", "x", "in PEM")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        both = (f'cert_file = "{path}"', f'key_file = "{path}"')
        refused(ConfigError, says, *words, settings_file(tmp_path, *lines, *both))
        refused(ConfigError, says, *words,
                settings_file(tmp_path, *lines, f'client_ca_file = "{path}"'))  # fmt: skip
    config = settings_file(tmp_path, 'signal.host = "0.0.0.0"')
    with pytest.raises(ConfigError, match="not loopback"):
        called("signal", "serve", "-c", config)
