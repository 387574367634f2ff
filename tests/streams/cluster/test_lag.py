"""How far the workers are: a number where it can be seen, and nothing where it cannot."""

from __future__ import annotations

from streams.cluster.lag import events_behind
from streams.config import Settings
from tests.ports import free_port


def test_a_broker_that_is_away_says_nothing_and_stops_nobody() -> None:
    settings = Settings(kafka={"bootstrap": f"127.0.0.1:{free_port()}"})
    assert events_behind(settings, 0) is None
