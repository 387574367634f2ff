"""Words in the audit, as typed: written, listed, checked; and a word that must go through."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster
from streams.config import Kafka
from streams.wire import decode_audit, decode_override
from tests.nodes import Broker
from tests.reading import written
from tests.streams.cli.called import ended
from tests.waiting import END_S

pytestmark = pytest.mark.broker

ROLES: Final = ("override", "everyone", "acks", "episode", "audit")
NOBODY: Final = ("--wait", "0")


@pytest.fixture
def folder(broker: Broker, unique: str, tmp_path: Path) -> Path:
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        for role in ROLES:
            cluster.create(f"{unique}.{role}", 1, 1, {})
    configured(tmp_path, broker, unique)
    return tmp_path


def configured(folder: Path, broker: Broker, unique: str, **changed: str) -> None:
    names = {role: f"{unique}.{role}" for role in ROLES} | changed
    lines = [f'kafka = {{bootstrap = "{broker.bootstrap}"}}', "[topics]"]
    lines += [f'{role} = "{name}"' for role, name in names.items()]
    (folder / "otpguard.toml").write_text("\n".join(lines))


def otpguard(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        return ended(*words, "--config", str(folder / "otpguard.toml"))


def test_every_word_is_in_the_audit_before_and_after_and_the_chain_holds(
    folder: Path, broker: Broker, unique: str
) -> None:
    for words in (
        ("release", "13900000001", "-r", "she called", "--ticket", "T-7", "--actor", "noc-7"),
        ("allow", "13900000001", "招商银行", "-r", "x"),
        ("exempt", "13900000002", "-r", "QA"),
        ("mode", "shadow", "-r", "maintenance"),
    ):
        done = otpguard(folder, *words, *NOBODY, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["audited"] is True
    values = [each.value for each in written(broker_of(broker), f"{unique}.audit")]
    records = [decode_audit(value) for value in values]
    assert [(each.verb, each.outcome) for each in records] == [
        (verb, outcome)
        for verb in ("release", "allow", "exempt", "mode")
        for outcome in ("asked", "done")
    ]
    first = records[1]
    assert (first.actor, first.subject, first.ticket) == ("noc-7", "8613900000001", "T-7")
    assert first.detail.startswith("override-")
    assert records[3].detail.startswith("sig:招商银行 override-")
    assert records[7].detail.startswith("shadow override-")
    said = [decode_override(e.value) for e in written(broker_of(broker), f"{unique}.override")]
    assert {each.via for each in said} == {"cli"}
    assert said[0].ticket == "T-7"
    listed = otpguard(folder, "audit", "ls", "--about", "139 0000 0001", "--json")
    assert [each["verb"] for each in json.loads(listed.stdout)] == ["release"] * 2 + ["allow"] * 2
    assert "she called" in otpguard(folder, "audit", "ls", "--actor", "noc-7").stdout
    chinese = otpguard(folder, "audit", "verify", "--lang", "zh-Hans")
    assert chinese.returncode == 0, chinese.stderr
    assert "8" in chinese.stdout
    heads = folder / "heads.json"
    heads.write_text(otpguard(folder, "audit", "verify", "--json").stdout)
    assert otpguard(folder, "audit", "verify", "--against", str(heads)).returncode == 0
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        forged = values[2].replace(b'"x"', b'"y"')
        producer.send(f"{unique}.audit", forged, b"k").get(timeout=END_S)
    done = otpguard(folder, "audit", "verify")
    assert done.returncode == 78
    assert "another record 2 of the chain was there before" in done.stderr


def test_a_word_goes_through_where_the_audit_cannot_and_the_audit_goes_with_the_next(
    folder: Path, broker: Broker, unique: str
) -> None:
    configured(folder, broker, unique, audit=f"{unique}.no-such-topic")
    done = otpguard(folder, "release", "13900000001", "-r", "emergency", *NOBODY)
    assert done.returncode == 75
    assert "NOT IN THE AUDIT" in done.stderr
    assert "release by" in done.stdout
    assert len(written(broker_of(broker), f"{unique}.override")) == 1
    configured(folder, broker, unique)
    done = otpguard(folder, "release", "13900000002", "-r", "calm again", *NOBODY)
    assert done.returncode == 0, done.stderr
    reasons = [
        decode_audit(each.value).reason for each in written(broker_of(broker), f"{unique}.audit")
    ]
    assert reasons == ["emergency"] * 2 + ["calm again"] * 2
    assert otpguard(folder, "audit", "verify").returncode == 0


def test_a_word_that_cannot_be_said_is_in_the_audit_as_one_that_was_tried(
    folder: Path, broker: Broker, unique: str
) -> None:
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(f"{unique}.narrow", 1, 1, {"max.message.bytes": "50"})
    narrow = f"{unique}.narrow"
    configured(folder, broker, unique, override=narrow, everyone=f"{unique}.everyone")
    done = otpguard(folder, "exempt", "13900000001", "-r", "x", *NOBODY)
    assert done.returncode == 75, done.stderr
    tried = [decode_audit(e.value) for e in written(broker_of(broker), f"{unique}.audit")]
    assert [each.outcome for each in tried] == ["asked", "failed"]


@pytest.mark.parametrize("heads", ['{"heads": 7}', "[" * 100_000])
def test_heads_that_are_none_are_one_sentence(folder: Path, heads: str) -> None:
    (folder / "heads.json").write_text(heads)
    done = otpguard(folder, "audit", "verify", "--against", str(folder / "heads.json"))
    assert done.returncode == 2
    assert "is not what `otpguard audit verify --json` wrote" in done.stderr


def broker_of(broker: Broker) -> dict[str, str]:
    return {"bootstrap_servers": broker.bootstrap}
