"""`otpguard gate`: the words of its commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.gate import app
from streams.common.errors import UnavailableError
from tests.streams.gateways.gate.asked import desk, served


def test_bench_says_how_soon_it_was_answered(tmp_path: Path) -> None:
    config = tmp_path / "otpguard.toml"
    with served(tmp_path, desk().gate) as place:
        config.write_text(f'[gate]\nsocket = "{place.path}"\n')
        words = ["bench", "-c", str(config), "--rate", "200", "--seconds", "0.1"]
        said = CliRunner().invoke(app, words, catch_exceptions=False)
        assert said.exit_code == 0, said.output
        assert "20 answers" in said.output
        assert "no_lease: 20" in said.output
        told = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
        assert json.loads(told.stdout)["answered"] == 20


def test_bench_without_a_gate_says_so(tmp_path: Path) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text(f'[gate]\nsocket = "{tmp_path}/gate.sock"\n')
    with pytest.raises(UnavailableError, match="no gate listens"):
        CliRunner().invoke(app, ["bench", "-c", str(config)], catch_exceptions=False)
