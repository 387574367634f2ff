"""Each process has a port of its own for metrics and health."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from streams.config import PORTS, load
from streams.telemetry.metrics import Role
from tests.builders.streams.config.load import written


def test_each_kind_of_process_has_a_port_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTPGUARD_HTTP_PORT", raising=False)
    settings = load(written(tmp_path, ""))
    usual = {kind: settings.http.port_of(kind) for kind in get_args(Role)}
    assert usual == PORTS
    assert len({9474, *usual.values()}) == len(usual) + 1, "9474 is a second worker's, in the guide"
    monkeypatch.setenv("OTPGUARD_HTTP_PORT", "9999")
    settings = load(written(tmp_path, ""))
    assert {settings.http.port_of(kind) for kind in usual} == {9999}
