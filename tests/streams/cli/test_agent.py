"""`otpguard agent` as typed: without brokers it ends with the code for "try again"."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.common.errors import ConfigError, UnavailableError
from tests.streams.cli.called import called, refused, settings_file


@pytest.mark.parametrize("agent", ["campaigns", "platforms"])
def test_an_agent_without_a_broker_says_so(agent: str, tmp_path: Path) -> None:
    config = settings_file(tmp_path, "http.port = 0")
    refused(UnavailableError, "127.0.0.1:9", "agent", agent, "--config", config)


def test_its_help_names_the_agents() -> None:
    told = called("agent", "--help")
    assert "campaigns" in told
    assert "platforms" in told
    assert "memory" in told


@pytest.mark.parametrize("section", ["", 'primary.bootstrap = "127.0.0.1:9"'])
def test_the_memory_agent_needs_the_other_site_and_the_key(section: str, tmp_path: Path) -> None:
    config = settings_file(tmp_path, f"http.port = 0\n{section}")
    needs = "primary.bootstrap and detect.memory_key_file"
    refused(ConfigError, needs, "agent", "memory", "--config", config)
