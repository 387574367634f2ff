"""`otpguard evidence`: from a file to a pack, stamped, cut, verified; keys made and changed."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka
from streams.demo.brokers import Broker
from streams.errors import ConfigError, UsageError
from streams.evidence.records import KINDS
from streams.evidence.stamp import query
from tests.enforce.records import RECIPIENT
from tests.full_disk import no_room
from tests.streams.cli.called import called, refused, settings_file
from tests.streams.evidence.packs import SAID, SHOP, fingerprint, key, lines, pack
from tests.streams.evidence.softhsm import PIN, token, uri
from tests.streams.evidence.test_repeat import log
from tests.streams.evidence.tsa import answered, authority

__all__ = ["log", "token"]


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    path = tmp_path / "pack.pem"
    path.write_text(key().written(), "ascii")
    path.chmod(0o600)
    return path


def test_a_case_of_a_file_becomes_a_pack_that_is_verified(signer: Path, tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_bytes(b"\n".join(lines()))
    config = settings_file(tmp_path, "[evidence]", 'unit = "某公司"', f'key_file = "{signer}"')
    out = str(tmp_path / "pack")
    told = json.loads(
        called("evidence", "make", f"+{RECIPIENT}", "-c", config, "--from", str(records), "-o", out,
               "--document", "17", "--json")
    )  # fmt: skip
    assert told["fingerprint"] == fingerprint()
    assert told["made"]["by"] == "某公司"
    said = called("evidence", "verify", out, "--fingerprint", fingerprint(), "--lang", "en")
    assert "all 16 records, made by 某公司" in said
    assert said.endswith("verified\n")
    assert "can be forged" in said
    own = str(tmp_path / "own")
    assert "3 records of" in called("evidence", "extract", out, "--platform", SHOP, "-o", own)
    said = json.loads(called("evidence", "verify", own, "--fingerprint", fingerprint(), "--json"))
    assert (said["verified"], said["extract"], said["records"]) == (True, True, 3)


def test_a_changed_pack_ends_with_one_and_says_where(tmp_path: Path) -> None:
    folder = pack(tmp_path)
    (folder / "README.txt").write_bytes(b"")
    said = called("evidence", "verify", str(folder), "--fingerprint", fingerprint(), code=1)
    assert "wrong: README.txt: changed" in said
    said = called(
        "evidence", "verify", str(folder), "--fingerprint", fingerprint(), "--json", code=1
    )
    assert "manifest" not in json.loads(said)
    refused(UsageError, "64 hex", "evidence", "verify", str(folder), "--fingerprint", "x")
    refused(UsageError, "No such", "evidence", "verify", "/nowhere", "--fingerprint", fingerprint())


def test_a_token_is_brought_by_hand(signer: Path, tmp_path: Path) -> None:
    folder, own = pack(tmp_path), authority(tmp_path / "tsa")
    words = ("evidence", "stamp", str(folder), "-c", settings_file(tmp_path), "--key", str(signer))
    called(*words, "--query", str(tmp_path / "q"))
    (tmp_path / "r").write_bytes(answered(own, (tmp_path / "q").read_bytes()))
    assert "stamped at" in called(*words, "--token", str(tmp_path / "r"))
    said = called("evidence", "verify", str(folder), "--fingerprint", fingerprint(), "--tsa-ca",
                  str(own / "ca.pem"))  # fmt: skip
    assert "by an authority of these certificates" in said
    (tmp_path / "r").write_bytes(answered(own, query(b"other")))
    refused(UsageError, "something else", *words, "--token", str(tmp_path / "r"))
    refused(UsageError, "--url", *words)


def test_the_key_comes_from_file_option_or_environment(
    signer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings_file(tmp_path)
    show = ("evidence", "key", "show", "-c", config, "--json")
    refused(ConfigError, "no pack key", *show)
    assert json.loads(called(*show, "--key", str(signer)))["fingerprint"] == fingerprint()
    monkeypatch.setenv("OTPGUARD_EVIDENCE_KEY", key("another").written())
    assert json.loads(called(*show))["fingerprint"] == fingerprint("another")
    monkeypatch.setenv("OTPGUARD_EVIDENCE_KEY", "rubbish")
    refused(ConfigError, "evidence.key", *show)
    signer.chmod(0o644)
    refused(ConfigError, "others may read it", *show, "--key", str(signer))
    refused(ConfigError, "No such", *show, "--key", str(tmp_path / "nowhere"))
    assert "PRIVATE" not in called("config", "show", "-c", config)


def test_keys_are_made_for_their_owner_and_changed_by_the_old(tmp_path: Path) -> None:
    old, new, signers = (str(tmp_path / name) for name in ("old", "new", "signers.jsonl"))
    for name in (old, new):
        assert "fingerprint" in called("evidence", "key", "new", "-o", name)
        assert Path(name).stat().st_mode & 0o777 == 0o600
    refused(UsageError, "exists", "evidence", "key", "new", "-o", old)
    called("evidence", "key", "rotate", "--old", old, "--new", new, "--list", signers)
    called("evidence", "key", "rotate", "--old", new, "--new", old, "--list", signers)
    assert len(Path(signers).read_bytes().splitlines()) == 2
    Path(signers).write_bytes(b"x\n")
    words = ("evidence", "key", "rotate", "--old", old, "--new", new, "--list", signers)
    refused(UsageError, "no JSON", *words)


def test_a_full_disk_leaves_the_list_of_successors_as_it_was(tmp_path: Path) -> None:
    old, new, signers = (str(tmp_path / name) for name in ("old", "new", "signers.jsonl"))
    for name in (old, new):
        called("evidence", "key", "new", "-o", name)
    words = ("evidence", "key", "rotate", "--old", old, "--new", new, "--list", signers)
    called(*words)
    before = Path(signers).read_bytes()
    with no_room(len(before) + 9):
        refused(UsageError, "signers.jsonl", *words)
    assert Path(signers).read_bytes() == before


def test_a_key_in_hardware_is_made_shown_and_takes_over_from_a_file(
    token: Path, signer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers, out = str(tmp_path / "signers.jsonl"), str(tmp_path / "pack")
    records = tmp_path / "records.jsonl"
    records.write_bytes(b"\n".join(lines()))
    monkeypatch.setenv("OTPGUARD_EVIDENCE_PIN", PIN)
    for label in ("one", "two"):
        assert "fingerprint" in called("evidence", "key", "new", "-o", uri(label))
    rotate = ("evidence", "key", "rotate", "--list", signers)
    called(*rotate, "--old", str(signer), "--new", uri("one"))
    called(*rotate, "--old", uri("one"), "--new", uri("two"))
    config = settings_file(
        tmp_path, "[evidence]", f'key_uri = "{uri("two")}"', f'signers_file = "{signers}"'
    )
    shown = json.loads(called("evidence", "key", "show", "-c", config, "--json"))["fingerprint"]
    make = ("evidence", "make", RECIPIENT, "-c", config, "--from", str(records), "-o", out)
    assert json.loads(called(*make, "--json"))["fingerprint"] == shown
    for trusted in (shown, fingerprint()):
        called("evidence", "verify", out, "--fingerprint", trusted)
    called("evidence", "verify", out, "--fingerprint", fingerprint("another"), code=1)
    assert PIN not in called("config", "show", "-c", config)


def test_decisions_are_repeated_from_events(log: tuple[Path, list[bytes]]) -> None:
    out, events = str(log[0]), log[1]
    said = called("evidence", "repeat", out, "-", given=b"".join(events))
    assert "decisions came out the same, from 87 events" in said
    half = b"".join(events[:40])
    said = json.loads(called("evidence", "repeat", out, "-", "--json", given=half, code=1))
    assert said["other"]


def test_the_text_for_12321_is_chinese_in_every_language(tmp_path: Path) -> None:
    given = b"\n".join(lines())
    words = ("evidence", "text-12321", RECIPIENT, "-c", settings_file(tmp_path), "--from", "-")
    assert "发送端口号：10690000000212" in called(*words, given=given)
    refused(UsageError, "no case of", "evidence", "text-12321", "8613912345678", "--from", "-",
            given=given)  # fmt: skip


@pytest.mark.broker
def test_a_pack_is_made_of_the_topics(
    broker: Broker, unique: str, signer: Path, tmp_path: Path
) -> None:
    roles = {"episode": "episode", "lease": "throttle", "ack": "acks", "incident": "incident",
             "counts": "counts", "notice": "notice", "word": "override"}  # fmt: skip
    topics = {role: f"{unique}.{role}" for role in [*roles.values(), "everyone"]}
    kafka = Kafka(bootstrap=broker.bootstrap)
    with Cluster(kafka) as cluster:
        for topic in topics.values():
            cluster.create(topic, 2, 1, {})
    with closing(KafkaProducer(**client_arguments(kafka), acks="all")) as producer:
        for kind, said in SAID:
            producer.send(topics[roles[kind]], KINDS[kind].encode(said))
        producer.send(topics["episode"], b"no record")
        producer.flush()
    config = tmp_path / "otpguard.toml"
    lines_ = [f'kafka.bootstrap = "{broker.bootstrap}"']
    lines_ += [f'topics.{role} = "{topic}"' for role, topic in topics.items()]
    config.write_text("\n".join(lines_), "utf-8")
    out = str(tmp_path / "pack")
    said = called("evidence", "make", RECIPIENT, "-c", str(config), "--since", "9999d", "-o", out,
                  "--key", str(signer))  # fmt: skip
    assert "16 records" in said
    assert "lines of a file" not in said
    called("evidence", "verify", out, "--fingerprint", fingerprint())
