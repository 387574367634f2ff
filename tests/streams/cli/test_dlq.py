"""`otpguard dlq`: which letters are meant; `operate/test_dlq` reads and replays them."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.cli.dlq import _filter, _time, _words
from streams.cluster.admin import Cluster
from streams.common.errors import UnavailableError, UsageError
from streams.config import Kafka
from streams.tools.operate.dead_letters import LetterStatus
from streams.wire import RejectReason
from tests.nodes import Broker
from tests.streams.cli.called import NOWHERE, called, refused, settings_file
from tests.waiting import END_S


@pytest.mark.parametrize("words", [("ls",), ("show", "3:17"), ("replay", "--dry-run")])
def test_a_broker_that_is_away_is_one_sentence(words: tuple[str, ...], tmp_path: Path) -> None:
    refused(UnavailableError, NOWHERE, "dlq", *words, "--config", settings_file(tmp_path))


def test_a_reason_that_there_is_not_is_said_with_those_there_are() -> None:
    says = f"no reason 'x'; there are: {', '.join(RejectReason)}"
    refused(UsageError, says, "dlq", "ls", "--reason", "x")


@pytest.mark.broker
def test_a_reason_from_outside_cannot_command_the_terminal(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    config = tmp_path / "otpguard.toml"
    config.write_text(f'kafka.bootstrap = "{broker.bootstrap}"\ntopics.dead_letters = "{unique}"')
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(unique, 1, 1, {})
    headers = {"reason": "x\x1b]52;c;cm0=\x07", "time": "5", "topic": "in", "partition": "0"}
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        told = [(name, value.encode()) for name, value in {**headers, "offset": "7"}.items()]
        producer.send(unique, b"{}", headers=told).get(timeout=END_S)
    said = called("dlq", "ls", "--config", str(config))
    assert r"x\x1b]52;c;cm0=\x07: 1 (" in said
    assert "".join(said.split()).isprintable()


def test_a_filter_counts_back_from_now() -> None:
    now_ms = time.time_ns() // 1_000_000
    wanted = _filter(["missing_field"], "2h", "30m", 3)
    assert wanted.reasons == {"missing_field"}
    assert wanted.since_ms is not None
    assert wanted.until_ms is not None
    assert 0 <= wanted.since_ms - (now_ms - 7_200_000) < 60_000
    assert wanted.until_ms - wanted.since_ms == pytest.approx(5_400_000, abs=5_000)
    assert wanted.partition == 3
    everything = _filter(None, None, None, None)
    assert (everything.reasons, everything.since_ms, everything.until_ms) == (
        frozenset(), None, None,
    )  # fmt: skip


def test_times_and_fates_are_written_for_people() -> None:
    assert _time(0) == "1970-01-01T00:00:00Z"
    assert _time(-1) is None
    fates = Counter(list(LetterStatus))
    assert set(_words(fates)) == {fate.value for fate in LetterStatus}
