"""`otpguard evidence`: from a file to a pack, stamped, cut, verified; keys made and changed."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import ConfigError, UnavailableError, UsageError
from streams.common.language import CHINESE, speaking
from streams.config import Kafka
from streams.people.evidence.pack_files import RECORDS
from streams.people.evidence.pack_records import KINDS
from streams.people.evidence.stamp import query
from tests.builders.streams.cases.standing import LATER, OPENED
from tests.builders.streams.people.evidence.repeat import log
from tests.enforce.records import RECIPIENT
from tests.full_disk import no_room
from tests.nodes import Broker
from tests.streams.cli.called import called, refused, settings_file
from tests.streams.people.evidence.packs import SAID, SHOP, fingerprint, key, lines, pack
from tests.streams.people.evidence.tsa import answered, authority

__all__ = ["log"]


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    path = tmp_path / "pack.pem"
    path.write_text(key().to_pem(), "ascii")
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
    assert "16 of 16 records, made by 某公司" in said
    assert said.endswith("verified\n")
    assert "can be forged" in said
    own = str(tmp_path / "own")
    assert "3 records of" in called("evidence", "extract", out, "--platform", SHOP, "-o", own)
    verify = ("evidence", "verify", own, "--fingerprint", fingerprint())
    said = json.loads(called(*verify, "--json", code=4))
    assert (said["verified"], said["extract"], said["wrong"]) == (False, True, [])
    assert (said["records"], said["manifest"]["records"]) == (3, 16)
    *_, last = called(*verify, "--lang", "en", code=4).splitlines()
    assert last == "an extract: 3 of 16 records are of the signed pack, others are not here"


def test_every_case_of_a_number_gets_a_pack_and_a_named_case_one_alone(
    signer: Path, tmp_path: Path
) -> None:
    words = made(tmp_path, signer)
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write(b"\n" + KINDS["episode"].encode(LATER))
    said = called(*words)
    assert said.startswith(f"2 cases of {RECIPIENT}, a pack of each:\n")
    folders = [tmp_path / "pack" / each.episode_id.replace(":", "-") for each in (OPENED, LATER)]
    for folder in folders:
        assert str(folder) in said
        called("evidence", "verify", str(folder), "--fingerprint", fingerprint())
    later = json.loads(called(*words[:-1], str(tmp_path / "again"), "--json"))[0]
    assert later["episode"] == LATER.episode_id
    assert "shadow" not in {each["gap"] for each in later["gaps"]}, "WATCH has no mode"
    one = [LATER.episode_id if word == RECIPIENT else word for word in words[:-1]]
    told = json.loads(called(*one, str(tmp_path / "one"), "--json"))
    assert (told["episode"], told["pack"]) == (LATER.episode_id, str(tmp_path / "one"))


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
    monkeypatch.setenv("OTPGUARD_EVIDENCE_KEY", key("another").to_pem())
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
    refused(UsageError, "no envelope", *words)


def test_a_full_disk_leaves_the_list_of_successors_as_it_was(tmp_path: Path) -> None:
    old, new, signers = (str(tmp_path / name) for name in ("old", "new", "signers.jsonl"))
    for name in (old, new):
        called("evidence", "key", "new", "-o", name)
    words = ("evidence", "key", "rotate", "--old", old, "--new", new, "--list", signers)
    called(*words)
    before = Path(signers).read_bytes()
    with no_room(len(before) + 9):
        refused(UnavailableError, "signers.jsonl: File too large", *words)
    assert Path(signers).read_bytes() == before


def made(folder: Path, signer: Path, *more: str) -> tuple[str, ...]:
    """The words that make a pack in a folder's `pack`."""
    records = folder / "records.jsonl"
    records.write_bytes(b"\n".join(lines()))
    return ("evidence", "make", RECIPIENT, "-c", settings_file(folder), "--from", str(records),
            "--key", str(signer), "-o", str(folder / "pack"), *more)  # fmt: skip


def test_a_full_disk_leaves_no_half_of_a_pack_a_key_or_a_request(
    signer: Path, tmp_path: Path
) -> None:
    words, folder = made(tmp_path, signer), pack(tmp_path / "other")
    config = settings_file(tmp_path)
    for room in (100, 20_000):
        with no_room(room):
            refused(UnavailableError, "pack: File too large", *words)
        assert not (tmp_path / "pack").exists()
    with no_room(20):
        refused(UnavailableError, "new.pem: File too large", "evidence", "key", "new", "-o",
                str(tmp_path / "new.pem"))  # fmt: skip
        refused(UnavailableError, "q: File too large", "evidence", "stamp", str(folder), "-c",
                config, "--query", str(tmp_path / "q"))  # fmt: skip
    assert not (tmp_path / "new.pem").exists()
    assert not (tmp_path / "q").exists()
    called(*words)


@pytest.mark.parametrize(
    ("field", "text"),
    [("--received", "2026\n<b>"), ("--authority", "a\x1b[31m"), ("--document", "1" * 201)],
)
def test_what_is_no_line_of_a_form_is_not_put_under_the_seal(
    signer: Path, tmp_path: Path, field: str, text: str
) -> None:
    refused(UsageError, "one line of 200 characters", *made(tmp_path, signer, field, text))
    assert not (tmp_path / "pack").exists()


def test_a_list_of_successors_that_no_verifier_takes_is_not_signed(
    signer: Path, tmp_path: Path
) -> None:
    words = made(tmp_path, signer)
    (tmp_path / "list").write_bytes(b"{}\n")
    settings_file(tmp_path, "[evidence]", f'signers_file = "{tmp_path / "list"}"')
    refused(ConfigError, "signers_file: an envelope", *words)
    assert not (tmp_path / "pack").exists()


def test_what_is_wrong_with_a_key_is_said(signer: Path, tmp_path: Path) -> None:
    words = made(tmp_path, signer)[:-4]
    text = signer.read_text()
    locked = text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
    for content, says in (
        (locked, "passphrase"),
        (text + text, "more in it"),
        ("\xe9", "one file"),
    ):
        (tmp_path / "wrong").write_text(content)
        (tmp_path / "wrong").chmod(0o600)
        refused(ConfigError, says, *words, "--key", str(tmp_path / "wrong"), "-o", "x")
    for name, says in (("absent", "absent: No such file"), ("", "Is a directory")):
        refused(ConfigError, says, *words, "--key", str(tmp_path / name), "-o", "x")


def test_a_successor_is_another_key(signer: Path, tmp_path: Path) -> None:
    refused(UsageError, "the same key", "evidence", "key", "rotate", "--old", str(signer), "--new",
            str(signer), "--list", str(tmp_path / "list"))  # fmt: skip
    assert not (tmp_path / "list").exists()


def test_an_extract_is_cut_of_a_whole_pack_alone(tmp_path: Path) -> None:
    folder, own = pack(tmp_path), str(tmp_path / "own")
    called("evidence", "extract", str(folder), "--platform", SHOP, "-o", own)
    words = ("--platform", SHOP, "-o", str(tmp_path / "again"))
    refused(UsageError, "it is an extract", "evidence", "extract", own, *words)
    (folder / RECORDS).write_bytes(b"")
    refused(UsageError, "not those that were signed", "evidence", "extract", str(folder), *words)
    refused(UsageError, "records.jsonl: No such file", "evidence", "extract", "nowhere", *words)


def test_a_stamp_goes_to_a_pack_of_its_own_signer_and_the_request_beside_it(
    signer: Path, tmp_path: Path
) -> None:
    folder, own, another = pack(tmp_path), authority(tmp_path / "tsa"), tmp_path / "another"
    words = ("evidence", "stamp", str(folder), "-c", settings_file(tmp_path))
    called("evidence", "key", "new", "-o", str(another))
    called(*words, "--query", str(tmp_path / "q"))
    (tmp_path / "r").write_bytes(answered(own, (tmp_path / "q").read_bytes()))
    token = ("--token", str(tmp_path / "r"))
    refused(UsageError, "another key", *words, "--key", str(another), *token)
    refused(UsageError, "its own files alone", *words, "--query", str(folder / "cover.json"))
    refused(UsageError, "is no address", *words, "--url", "tsa.example")
    (tmp_path / "r").write_bytes(b"rubbish")
    refused(UsageError, "no time-stamp token", *words, "--key", str(signer), *token)
    said = called("evidence", "verify", str(folder), "--fingerprint", fingerprint())
    assert said.endswith("verified\n")
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "manifest.dsse.json").write_bytes(b"{}")
    refused(UsageError, "no manifest of a pack", "evidence", "stamp", str(tmp_path / "no"), "-c",
            settings_file(tmp_path), "--query", str(tmp_path / "q"))  # fmt: skip


def test_who_asks_for_the_stamp_to_be_checked_is_told_that_there_is_none(tmp_path: Path) -> None:
    folder, own = pack(tmp_path), authority(tmp_path / "tsa")
    said = called("evidence", "verify", str(folder), "--fingerprint", fingerprint(), "--tsa-ca",
                  str(own / "ca.pem"), code=1)  # fmt: skip
    assert "manifest.tsr: missing; a time stamp was to be checked" in said


def test_a_verdict_is_in_the_language_that_is_spoken(tmp_path: Path) -> None:
    folder = pack(tmp_path)
    (folder / RECORDS).write_bytes(b"")
    (folder / "more").mkdir()
    with speaking(CHINESE, UTC):
        said = called("evidence", "verify", str(folder), "--fingerprint", "0" * 64, code=1)
        refused(UsageError, "十六进制", "evidence", "verify", str(folder), "--fingerprint", "x")
    for line in said.splitlines():
        assert re.search("[\u4e00-\u9fff]{3}", line.removeprefix("不符：")), line


def test_what_holds_no_event_is_not_called_another_outcome(tmp_path: Path) -> None:
    folder, file = str(pack(tmp_path)), tmp_path / "events"
    for content, says in (
        ("", "the file is empty"),
        ("\n", "no event to judge"),
        ("x\n{}\n", "not one of 2 lines is an event"),
    ):
        file.write_text(content)
        refused(UsageError, says, "evidence", "repeat", folder, str(file))
    refused(UsageError, "settings.toml: No such file", "evidence", "repeat", "nowhere", str(file))
    (Path(folder) / "settings.toml").write_text("mode = 1")
    refused(UsageError, "no settings of a pack", "evidence", "repeat", folder, str(file))


def test_decisions_are_repeated_from_events(log: tuple[Path, list[bytes]]) -> None:
    out, events = str(log[0]), log[1]
    said = called("evidence", "repeat", out, "-", given=b"".join(events))
    assert "decisions came out the same, from" in said
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
