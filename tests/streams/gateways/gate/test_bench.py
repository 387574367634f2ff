"""The load that `otpguard gate bench` makes, and what it says of the answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.common.errors import UnavailableError
from streams.config import GateSettings
from streams.gateways.gate.bench import Load, Measured, run
from tests.streams.gateways.gate.asked import desk, served


def test_it_asks_as_often_as_it_is_told_and_counts_the_answers(tmp_path: Path) -> None:
    made = desk()
    with served(tmp_path, made.gate) as place:
        section = GateSettings(socket=place.path)
        found = run(section, Load(500, 0.4, 3, "8617000990000"))
    assert (found.sent, len(found.times_s)) == (200, 200)
    assert found.whys == {"no_lease": 200}
    assert {value["category"] for value in made.values()} == {"notice"}  # no flood is made by it
    assert found.document()["p50_ms"] > 0
    assert len(found.behind_s) == 200
    assert 0 < found.document()["behind_p99_ms"] <= found.document()["max_ms"]


def test_reports_are_measured_too_and_a_token_is_sent(tmp_path: Path) -> None:
    made = desk()
    with served(tmp_path, made.gate, token=b"t") as place:
        section = GateSettings(socket=place.path, token="t")
        found = run(section, Load(100, 0.1, 1, "8617000990000", "/v1/report"))
    assert found.whys == {"reported": 10}


def test_nobody_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no gate listens"):
        run(GateSettings(socket=tmp_path / "gate.sock"), Load(10, 0.1, 1, "8617000990000"))


def test_what_is_not_answered_is_told() -> None:
    measured = Measured(20, times_s=[0.001] * 98 + [0.03] * 2, sent=103, took_s=1.0)
    told = measured.document()
    assert (told["answered"], told["late"], told["p50_ms"], told["max_ms"]) == (100, 2, 1.0, 30.0)
    assert told["failed"] == 3
    assert Measured(20).document()["p99_ms"] == 0
