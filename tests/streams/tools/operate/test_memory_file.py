"""Memory files: written, checked, and brought to a topic with any number of partitions."""

from __future__ import annotations

import gzip
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyrage
import pytest
from kafka import KafkaProducer

from detectors.memory_records import list_memories
from detectors.model.event import TOKEN_BIT, KnownPlatform, MemoryRecord
from detectors.recognise.text.fold import NAME_VERSION
from streams.common.errors import Exit, UnavailableError, UsageError
from streams.tools.operate import memory_file
from tests.builders.detectors.memory_records import PARAMS, TODAY
from tests.builders.streams.tools.operate.memory_file import (
    FIRST,
    INTAKE,
    KEY,
    TOKEN,
    Site,
    everybody,
    exported,
    states,
)
from tests.detectors.stand_in import START_MS
from tests.nodes import Broker
from tests.waiting import wait_until


def written(path: Path, found: Sequence[memory_file.Exported], partitions: int = 2) -> Path:
    n = memory_file.write(path, partitions, found, memory_file.reduced_name, lambda _: None)
    assert n == len(found)
    return path


ROOT = Path(__file__).parents[4]


ONE = MemoryRecord(START_MS, NAME_VERSION, TODAY - 9, (KnownPlatform(7, TODAY - 3, 2),), "")


def test_a_file_says_what_was_exported_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = written(tmp_path / "m.gz", [(0, FIRST, ONE), (1, TOKEN, ONE)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    head, end, _ = memory_file.check(path, INTAKE)
    assert (head.partitions, head.name_version, end.recipients) == (2, NAME_VERSION, 2)
    lines = gzip.decompress(path.read_bytes()).splitlines()
    platforms = f"[[7,{TODAY - 3},2]]"
    assert lines[1:3] == [
        f'["{FIRST}",0,{START_MS},{TODAY - 9},{platforms}]'.encode(),
        f'["h0:8000000000001234",1,{START_MS},{TODAY - 9},{platforms}]'.encode(),
    ]


@pytest.mark.parametrize("people", [0, 1, memory_file.TOGETHER, memory_file.TOGETHER + 1])
def test_any_number_of_recipients_is_a_whole_file(tmp_path: Path, people: int) -> None:
    path = written(tmp_path / "m.gz", [(0, FIRST + i, ONE) for i in range(people)])
    assert memory_file.check(path, INTAKE)[1].recipients == people


def test_a_damaged_file_is_refused_as_a_whole(tmp_path: Path) -> None:
    good = gzip.decompress(written(tmp_path / "m", [(0, FIRST, ONE)] * 3).read_bytes())
    lines = good.splitlines(keepends=True)
    for bad in (
        b"", b"x", good.replace(b"[[7,", b"[[8,"), b"".join(lines[:-1]), b"".join(lines[1:]),
        b"".join([*lines[:2], *lines[3:]]), good + lines[1], lines[0], lines[-1], b"{}\n" + good,
        good.replace(b'"otpguard_memory":1', b'"otpguard_memory":2'),
    ):  # fmt: skip
        path = tmp_path / "bad.gz"
        path.write_bytes(gzip.compress(bad))
        with pytest.raises(UsageError, match="no whole memory file"):
            memory_file.check(path, INTAKE)
    packed = gzip.compress(good)
    for cut in (packed[:-9], packed[:20], good):
        path.write_bytes(cut)
        with pytest.raises(UsageError, match=r"bad\.gz: "):
            memory_file.check(path, INTAKE)
    with pytest.raises(UsageError, match="No such file"):
        memory_file.check(tmp_path / "absent.gz", INTAKE)


def test_a_file_of_other_platform_names_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "m.gz", [(0, FIRST, ONE)])
    monkeypatch.setattr(memory_file, "NAME_VERSION", NAME_VERSION + 1)
    with pytest.raises(UsageError, match="of version 2, not 3"):
        memory_file.check(path, INTAKE)


@pytest.fixture
def age_key(tmp_path: Path) -> tuple[Path, str]:
    """A file as `age-keygen` writes it, and its public key."""
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "age.key"
    path.write_text(f"# created: today\n# public key: {identity.to_public()}\n{identity}\n")
    return path, str(identity.to_public())


def encrypted(path: Path, to: str, people: int = 3) -> Path:
    found = [(0, FIRST + i, ONE) for i in range(people)]
    to_all = memory_file.age_recipients([to])
    memory_file.write(path, 2, found, memory_file.reduced_name, lambda _: None, to_all)
    return path


def test_an_encrypted_file_is_what_age_itself_decrypts(
    tmp_path: Path, age_key: tuple[Path, str]
) -> None:
    path = encrypted(tmp_path / "m.age", age_key[1], 20_000)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert memory_file.check(path, INTAKE, age_key[0])[1].recipients == 20_000
    held = path.read_bytes()
    assert held.startswith(b"age-encryption.org/v1\n")
    word = age_key[0].read_text().splitlines()[-1]
    lines = gzip.decompress(pyrage.decrypt(held, [pyrage.x25519.Identity.from_str(word)]))
    assert lines.splitlines()[1].startswith(f'["{FIRST}"'.encode())
    assert {each.name for each in tmp_path.iterdir()} == {"m.age", "age.key"}


def test_an_encrypted_file_without_its_key_is_refused(
    tmp_path: Path, age_key: tuple[Path, str]
) -> None:
    path = encrypted(tmp_path / "m.age", age_key[1])
    with pytest.raises(UsageError, match=r"m\.age is encrypted.*--key-file"):
        memory_file.check(path, INTAKE)
    other = tmp_path / "other.key"
    for words, why in (
        (str(pyrage.x25519.Identity.generate()), "No matching keys found"),
        ("# no key", "No matching keys found"),
        ("AGE-SECRET-KEY-1X", "invalid Bech32"),
    ):
        other.write_text(f"{words}\n")
        with pytest.raises(UsageError, match=f"cannot be decrypted with .*other.key: {why}"):
            memory_file.check(path, INTAKE, other)
    with pytest.raises(UsageError, match="No such file"):
        memory_file.check(path, INTAKE, tmp_path / "absent.key")


def test_a_damaged_encrypted_file_is_refused_as_a_whole(
    tmp_path: Path, age_key: tuple[Path, str]
) -> None:
    good = encrypted(tmp_path / "m.age", age_key[1], 20_000).read_bytes()
    at = len(good) // 2
    for bad in (good[:-1], good[:at], good[:at] + b"x" + good[at + 1 :], good[:40], good + b"x"):
        path = tmp_path / "bad.age"
        path.write_bytes(bad)
        with pytest.raises(UsageError, match=r"bad\.age"):
            memory_file.check(path, INTAKE, age_key[0])


def test_who_is_no_age_recipient_gets_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--encrypt-to: invalid Bech32"):
        encrypted(tmp_path / "m.age", "age1nobody")
    assert not [*tmp_path.iterdir()]


def test_an_error_while_a_file_is_encrypted_leaves_nothing(
    tmp_path: Path, age_key: tuple[Path, str]
) -> None:
    def broken() -> Iterator[memory_file.Exported]:
        yield from [(0, FIRST + i, ONE) for i in range(5000)]
        raise UnavailableError("the broker is gone")

    to = memory_file.age_recipients([age_key[1]])
    path = tmp_path / "m.age"
    with pytest.raises(UnavailableError, match="the broker is gone"):
        memory_file.write(path, 1, broken(), memory_file.reduced_name, lambda _: None, to)
    assert [*tmp_path.iterdir()] == [age_key[0]]


def command_of(site: Site, folder: Path, *words: str) -> list[str]:
    """The command line of `otpguard memory`, with the settings of a site."""
    (folder / "memory.key").write_bytes(KEY)
    path = folder / "otpguard.toml"
    path.write_text(
        f'app_id = "{site.settings.app_id}"\n[kafka]\nbootstrap = "{site.kafka.bootstrap}"\n'
        f'[topics]\ninput = "{site.input}"\npartitions = {site.partitions}\n'
        f'[detect]\nmemory_key_file = "{folder / "memory.key"}"\n[input]\ncountry = "CN"\n'
    )
    return [sys.executable, "-m", "streams", "memory", *words, "-c", str(path)]


def called(site: Site, folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command_of(site, folder, *words), capture_output=True, text=True, check=True, cwd=folder,
        env=environment,
    ).stderr  # fmt: skip


@pytest.mark.broker
def test_checkpoints_are_exported_and_adopted_by_other_partitions(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    one, other = Site(broker, f"{unique}-a", 2), Site(broker, f"{unique}-b", 5)
    saved, epoch = states(), one.settings.epoch
    one.save(saved)
    found = list(memory_file.export(one.clients, one.changelog, PARAMS, epoch))
    assert found == exported(saved)
    assert not list(memory_file.export(one.clients, one.changelog, PARAMS, epoch + 1))
    (tmp_path / "token.key").write_bytes(KEY)
    command = ["export", "--out", str(tmp_path / "t.gz"), "--tokens", "k1", "token.key"]
    called(one, tmp_path, *command)
    lines = gzip.decompress((tmp_path / "t.gz").read_bytes()).splitlines()[1:-1]
    assert memory_file.check(tmp_path / "t.gz", INTAKE)[1].recipients == len(found) == len(lines)
    tokens = [line for line in lines if line.startswith(b'["hk1:')]
    assert len(tokens) == len(found) - 2, "those of tokens stay as they are"
    assert not any(b'"8613' in line for line in lines)
    people = [each for each in found if not each[1] & TOKEN_BIT]
    path = written(tmp_path / "m.gz", people)
    n = len(people)
    assert other.bring(path, threading.Event()) == (n, n)
    states_there, records_there = other.adopted()
    assert records_there == n
    assert len(states_there) == 5
    wanted = {r: k for r, k in everybody(saved).items() if not r & TOKEN_BIT}
    assert everybody([*states_there.values()]) == wanted
    assert other.bring(path, threading.Event()) == (n, n)
    assert other.adopted()[1] == n, "what is published is not published again"


@pytest.mark.broker
def test_an_export_without_recipients_or_of_a_damaged_changelog_keeps_the_old_file(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    site, path = Site(broker, unique, 1), tmp_path / "m.gz"
    path.write_bytes(b"of yesterday")

    def failed() -> tuple[int, str]:
        with pytest.raises(subprocess.CalledProcessError) as error:
            called(site, tmp_path, "export", "--out", str(path))
        assert path.read_bytes() == b"of yesterday"
        return error.value.returncode, error.value.stderr

    code, said = failed()
    assert (code, said.count("\n")) == (Exit.USAGE, 1)
    assert site.changelog in said
    with closing(KafkaProducer(**site.clients, acks="all")) as producer:
        producer.send(site.changelog, b"nonsense", b"0|w1|manifest|0").get(10)
    code, said = failed()
    assert (code, said.count("\n")) == (Exit.INVARIANT, 1)
    assert "not a manifest" in said


@pytest.mark.broker
def test_an_encrypted_export_is_imported_with_its_key(
    broker: Broker, unique: str, tmp_path: Path, age_key: tuple[Path, str]
) -> None:
    one, other = Site(broker, f"{unique}-a", 1), Site(broker, f"{unique}-b", 1)
    saved = states(1, people=1500)
    one.save(saved)
    path, (key_file, to) = tmp_path / "m.age", age_key
    called(one, tmp_path, "export", "--out", str(path), "--encrypt-to", to)
    done = called(
        other, tmp_path, "import", str(path), "--key-file", str(key_file), "--rate", "1e6"
    )
    assert "published 1,501 of 1,501" in done
    assert everybody([*other.adopted()[0].values()]) == everybody(saved)


@pytest.mark.broker
def test_reduced_tokens_keep_their_partition_or_are_refused(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "m.gz", exported(states(people=20)))
    with pytest.raises(UsageError, match="only go to a topic of 2 partitions"):
        Site(broker, f"{unique}-a", 3).bring(path, threading.Event())
    same = Site(broker, f"{unique}-b", 2)
    same.bring(path, threading.Event())
    found, _ = same.adopted()
    for number_, state in found.items():
        assert [r for r, _ in list_memories(state) if r & TOKEN_BIT] == [TOKEN + number_]


@pytest.mark.broker
def test_an_import_that_is_killed_goes_on_where_it_was(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    site = Site(broker, unique, 3)
    path = written(tmp_path / "m.gz", [(0, FIRST + i, ONE) for i in range(5500)], 3)
    place = tmp_path / "m.gz.progress"
    process_ = subprocess.Popen(
        command_of(site, tmp_path, "import", str(path), "--rate", "1000"), cwd=ROOT
    )
    try:
        wait_until(place.exists, "a position is written")
    finally:
        os.kill(process_.pid, signal.SIGKILL)
        process_.wait()
    killed_at = site.adopted()[1]
    assert killed_at < 5500
    done = called(site, tmp_path, "import", str(path), "--rate", "100000")
    assert "published 5,500 of 5,500" in done
    found, number_ = site.adopted()
    assert {r for state in found.values() for r, _ in list_memories(state)} == {
        FIRST + i for i in range(5500)
    }
    assert 5500 <= number_ <= 5500 + memory_file.TOGETHER
