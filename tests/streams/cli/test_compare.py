"""`otpguard compare`: which recipients and leases another configuration would change."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster
from streams.common.errors import UnavailableError, UsageError
from streams.config import Kafka
from tests.nodes import Broker
from tests.streams.cli.called import NOWHERE, called, refused


def configurations(folder: Path, after: str) -> list[str]:
    for name, text in (("now.toml", ""), ("next.toml", after)):
        (folder / name).write_text(text, "utf-8")
    return [str(folder / "now.toml"), str(folder / "next.toml")]


def test_a_rehearsal_under_two_configurations_tells_who_differs(tmp_path: Path) -> None:
    events = called("scenario", "A1", "--seed", "3")
    named = configurations(tmp_path, "[detect]\nburst_margin = 3\n")
    told = json.loads(called("compare", *named, "-", "--json", given=events))
    assert told["lines"] == len(events.splitlines())
    victim = told["recipients"][0]["recipient"]
    shown = called("compare", *named, "-", given=events)
    assert victim in shown
    assert "refused only before" in shown
    same = called("compare", named[0], named[0], "-", given=events)
    assert f"no recipient differs in {told['lines']} lines" in same


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    named = configurations(tmp_path, "")
    refused(UsageError, "nothing.jsonl", "compare", *named, "nothing.jsonl")


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    named = configurations(tmp_path, "")
    Path(named[0]).write_text(f'kafka.bootstrap = "{NOWHERE}"', "utf-8")
    refused(UnavailableError, NOWHERE, "compare", *named)


@pytest.mark.broker
def test_the_input_topic_differs_as_its_files_do(
    broker: Broker, tmp_path: Path, unique: str
) -> None:
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(f"{unique}.input", 2, 1, {})
    events = called("scenario", "A1", "--seed", "3")
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        for line in events.splitlines():
            producer.send(f"{unique}.input", line.encode(), partition=1)
        producer.flush()
    named = configurations(tmp_path, "[detect]\nburst_margin = 3\n")
    where = f'kafka.bootstrap = "{broker.bootstrap}"\ntopics.input = "{unique}.input"\n'
    Path(named[0]).write_text(where, "utf-8")
    told = json.loads(called("compare", *named, "--since", "9999d", "--json"))
    alone = json.loads(called("compare", *named, "-", "--json", given=events))
    assert told["lines"] == alone["lines"]
    assert told["leases"] == alone["leases"]
    assert [each["refused_only"] for each in told["recipients"]] == [
        each["refused_only"] for each in alone["recipients"]
    ]
