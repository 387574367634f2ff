"""`otpguard desk serve` hands its settings on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.__main__ import app
from streams.people.desk import console_server as served


@pytest.mark.parametrize(("words", "index"), [((), True), (("--no-index",), False)])
def test_the_console_is_served_with_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], index: bool
) -> None:
    seen: dict[str, Any] = {}

    def serve(settings: Any, *, index: bool, started: Any, examine: Any) -> None:
        seen.update(port=settings.console.port, index=index)
        assert [each.check for each in examine(False)] == ["store", "console", "pdf"]
        started("http://127.0.0.1:1", None)

    monkeypatch.setattr(served, "serve", serve)
    config = tmp_path / "otpguard.toml"
    config.write_text("console = {port = 4711}\n")
    done = CliRunner().invoke(
        app, ["desk", "serve", *words, "--config", str(config)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert seen == {"port": 4711, "index": index}
    assert "http://127.0.0.1:1" in done.output
