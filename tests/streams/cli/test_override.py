"""The operator's commands, as typed, against two adapters and no worker at all.

Where a gateway is frozen until it is missed, a test is part of `make integration`.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import pty
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from kafka import KafkaProducer

from streams.cluster import prompt
from streams.cluster.admin import Cluster
from streams.cluster.at_work import gateway_signs
from streams.common.errors import ConfigError, Exit, UncertainError
from streams.config import Kafka
from streams.gateways.enforce.webhook import WebhookGateway
from streams.people.desk.override_publisher import speaking_on
from streams.wire import Ack, decode_ack, decode_audit, encode_ack, encode_episode
from tests.builders.streams.cases.standing import OPENED
from tests.builders.streams.cli.override import otpguard
from tests.builders.streams.gateways.enforce.adapter import World, keys, now_ms, throttled, world
from tests.builders.streams.people.notices.notifier import World as Notified
from tests.enforce.receiver import SECRET, receiver
from tests.enforce.records import action, override
from tests.enforce.services import Server, ours, redis_client, redis_server
from tests.nodes import Broker
from tests.ports import free_port
from tests.reading import written
from tests.streams.cli.called import ended, refused
from tests.waiting import END_S, wait_until

__all__ = ["keys", "world"]

pytestmark = pytest.mark.broker

PATIENTLY = ("--wait", "100")  # no word takes so long; a busy machine needs more than three seconds


@pytest.fixture
def folder(world: World, broker: Broker, tmp_path: Path) -> Path:
    topics = world.topics
    roles = ("throttle", "acks", "override", "everyone", "counts", "audit")
    names = {name: getattr(topics, name) for name in roles}
    lines = [f'app_id = "{world.name}"', f'kafka.bootstrap = "{broker.bootstrap}"', "[topics]"]
    lines += [f'{name} = "{topic}"' for name, topic in names.items()]
    (tmp_path / "otpguard.toml").write_text("\n".join(lines))
    return tmp_path


def test_every_word_takes_effect_in_two_adapters_without_a_worker(
    world: World, keys: redis.Redis, folder: Path, tmp_path: Path
) -> None:
    with (
        redis_server(tmp_path / "second") as server,
        closing(redis_client(server)) as others,
        world.adapter("redis-1"),
        world.beside(server).adapter("redis-2"),
    ):
        leases = [action(f"861390000{n:04}", n, at_ms=now_ms()) for n in range(1, 50)]
        world.say(*leases)
        wait_until(lambda: len(throttled(keys)) == len(throttled(others)) == 49, "held")
        for words in (
            ["release", "+86 139 0000 0001", "--reason", "she called"],
            ["exempt", "13900000002", "--reason", "QA", "--actor", "noc-7"],
            ["allow", "008613900000003", "某校", "--reason", "she waits for it"],
            ["mode", "off", "--reason", "complaints"],
        ):
            done = otpguard(folder, *words, "--json", *PATIENTLY)
            assert done.returncode == 0, done.stderr
            said = json.loads(done.stdout)
            assert set(said["in_effect"]) == {"redis-1", "redis-2"}
            if words[0] == "exempt":
                assert (said["actor"], said["reason"]) == ("noc-7", "QA")
                for each in (keys, others):
                    assert throttled(each) == {f"861390000{n:04}" for n in range(3, 50)}
            if words[0] == "allow":
                value = json.loads(keys.get("otpguard:throttle:8613900000003") or b"")
                assert len(value["ids"]) == 1
        assert throttled(keys) == throttled(others) == set()
        done = otpguard(folder, "mode", "enforce", "--reason", "all clear", *PATIENTLY)
        assert "in effect at redis-1" in done.stdout
        expected = {f"861390000{n:04}" for n in range(3, 50)}
        wait_until(lambda: throttled(keys) == throttled(others) == expected, "held again")


def test_the_kill_switch_is_shown_and_withdrawn(folder: Path) -> None:
    """`mode` alone says what is in force, and how to withdraw the switch."""
    none = otpguard(folder, "mode")
    assert "mode shadow, by the settings; no kill switch is on" in none.stdout, none.stderr
    assert json.loads(otpguard(folder, "mode", "--json").stdout)["source"] == "settings"
    for switch in ("off", "shadow"):
        otpguard(folder, "mode", switch, "-r", "ticket 4711", "--actor", "noc-7", "--wait", "0")
        shown = otpguard(folder, "mode").stdout
        assert f"KILL SWITCH: {switch} since" in shown
        assert "by noc-7" in shown
        assert "`otpguard mode normal` withdraws the switch" in shown
        found = json.loads(otpguard(folder, "mode", "--json").stdout)
        assert (found["source"], found["mode"], found["actor"]) == ("override", switch, "noc-7")
        assert "otpguard mode normal" in otpguard(folder, "doctor").stdout
    done = otpguard(folder, "mode", "normal", "-r", "all clear", "--wait", "0")
    assert "ended at once" in done.stdout, done.stderr
    assert "no kill switch is on" in otpguard(folder, "mode").stdout
    assert "otpguard mode normal" not in otpguard(folder, "doctor").stdout


def test_a_terminal_asks_for_the_reason(folder: Path) -> None:
    """`release` and `mode off` work as the README writes them."""
    program = [sys.executable, "-m", "streams", "mode", "off", "--wait", "0"]
    config = ["--config", str(folder / "otpguard.toml")]
    main, other = pty.openpty()
    with subprocess.Popen([*program, *config], stdin=other, stdout=other, stderr=other) as process:
        os.close(other)
        os.write(main, b"ticket 4712\n")
        assert process.wait(END_S) == 0
        os.close(main)
    assert json.loads(otpguard(folder, "mode", "--json").stdout)["reason"] == "ticket 4712"


def test_a_word_is_answered_once_all_adapters_at_work_have_confirmed_it(
    world: World, keys: redis.Redis, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However long it would wait: on the telephone three seconds of silence are many."""
    with world.adapter("redis-1"):
        world.say(action("8613900000001", 1, at_ms=now_ms()))
        wait_until(lambda: throttled(keys) == {"8613900000001"}, "held")
        wait_until(lambda: len(world.acks(1)) == 1, "acknowledged")
        done = otpguard(folder, "release", "13900000001", "-r", "she called", "--wait", "300")
        assert done.returncode == 0, done.stderr
        assert "in effect at redis-1" in done.stdout
        assert done.stderr == "", "of a library's own affairs"
    ours = [each for each in caplog.records if each.name.startswith("streams.")]
    alarming = [each for each in ours if each.levelno >= logging.WARNING]
    assert [each.getMessage() for each in alarming] == [], "that a gateway answers is no warning"


@pytest.mark.parametrize("words", [
    ("release", "13900000001"), ("allow", "13900000001", "某校", "--unseen", "--json"),
    ("exempt", "13900000001", "--json"), ("mode", "off"),
])  # fmt: skip
def test_a_gateway_at_work_that_does_not_confirm_is_named_and_the_exit_code_is_3(
    words: tuple[str, ...], world: World, keys: redis.Redis, folder: Path
) -> None:
    """A command waits for eight seconds, so that each is given once, two of them with `--json`."""
    world.sign("smsc-2")
    with world.adapter("redis-1"):
        world.say(action("8613900000001", 1, at_ms=now_ms()))
        wait_until(lambda: throttled(keys) == {"8613900000001"}, "held")
        done = otpguard(folder, *words, "--reason", "x", "--wait", "8")
        assert done.returncode == int(Exit.UNCONFIRMED) == 3
        assert "applied, but not confirmed by smsc-2" in done.stderr
        if "--json" in words:
            answer = json.loads(done.stdout)
            assert set(answer["in_effect"]) == {"redis-1"}
            assert set(answer["unconfirmed"]) == {"smsc-2"}
        else:
            assert "in effect at redis-1" in done.stdout
            assert "not confirmed by smsc-2, which last answered at" in done.stdout
    audited = [decode_audit(each.value) for each in written(world.clients, world.topics.audit)]
    assert [each.outcome for each in audited] == ["asked", "unconfirmed"]


def test_a_damaged_acknowledgement_makes_nobody_wait_for_a_gateway_that_there_is_not(
    world: World, keys: redis.Redis, folder: Path
) -> None:
    """Each override of a day ended with 3, after the whole wait."""
    spoke = Ack(action_id="1:x:0:1", gateway_id="smsc-9", state="applied", why="", at_ms=now_ms())
    world.producer.send(world.topics.acks, encode_ack(spoke)).get(timeout=END_S)
    with world.adapter("redis-1"):
        done = otpguard(folder, "release", "13900000001", "--reason", "x", *PATIENTLY)
        assert done.returncode == 0, done.stderr
        assert "smsc-9" not in done.stdout


@pytest.mark.integration
def test_a_gateway_that_went_deaf_is_missed_and_one_that_was_stopped_is_only_named(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    """Neither has acknowledged anything: what they commit tells who is alive."""
    made = Notified(broker, unique)
    topics = made.topics.model_dump(exclude={"partitions", "replication"})
    config = tmp_path / "otpguard.toml"
    lines = [f'app_id = "{made.settings.app_id}"', f'kafka.bootstrap = "{broker.bootstrap}"']
    lines += [f'topics.{role} = "{name}"' for role, name in topics.items()]

    def program(kind: str, name: str) -> Server:
        port = free_port()
        folder = tmp_path / name
        folder.mkdir()
        own = [f"http.port = {port}", f'gate.spool_dir = "{folder}/spool"', "gate.drain_s = 1"]
        own += [f"gate.port = {free_port()}", f'redis.url = "redis://127.0.0.1:{keys_at.port}"']
        file = folder / "otpguard.toml"
        file.write_text("\n".join(lines + own))
        return ours(file, folder, name, *kind.split(), "--gateway-id", name)

    def alive() -> set[str]:
        signs = gateway_signs(made.settings)
        return {name for name, sign in signs.items() if not sign.ended}

    config.write_text("\n".join(lines))
    with (
        closing(made.producer),
        redis_server(tmp_path) as keys_at,
        program("gate serve", "gate-well"),
        program("gate serve", "gate-deaf") as deaf,
        program("enforce redis", "redis-off") as off,
    ):
        wait_until(lambda: alive() == {"gate-well", "gate-deaf", "redis-off"}, "all are alive")
        off.stop()
        wait_until(lambda: alive() == {"gate-well", "gate-deaf"}, "one has taken its leave")
        deaf.freeze()
        done = otpguard(tmp_path, "mode", "off", "--reason", "x", "--wait", "20")
        assert done.returncode == Exit.UNCONFIRMED, done.stderr
        assert "in effect at gate-well" in done.stdout
        assert "not confirmed by gate-deaf, which last answered at" in done.stdout
        assert "redis-off is stopped since" in done.stdout
        assert "applied, but not confirmed by gate-deaf" in done.stderr
        with speaking_on(made.settings, now_ms) as desk:
            word = override("exempt", issued_at_ms=now_ms(), expires_at_ms=None)
            wait_until(lambda: desk.say(word, 3).missing == ["gate-deaf"], "the desk names it")
            assert desk.say(word, 3).list_stopped == ["redis-off"]
        deaf.thaw()
        deaf.stop()
        wait_until(lambda: alive() == {"gate-well"}, "both have taken their leave")
        done = otpguard(tmp_path, "mode", "shadow", "--reason", "x", "--json", *PATIENTLY)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert set(answer["in_effect"]) == {"gate-well"}
        assert set(answer["stopped"]) == {"gate-deaf", "redis-off"}


def test_a_platform_that_nobody_has_heard_of_is_asked_about_and_not_allowed(
    world: World, folder: Path, broker: Broker
) -> None:
    """`in effect` was the answer to any slip of the pen."""
    number, topic = "8613900000001", f"episode-{uuid4().hex}"
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(topic, 1, 1, {})
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        seen = replace(OPENED, recipient=number, at_ms=now_ms())
        producer.send(topic, encode_episode(seen), number.encode()).get(timeout=END_S)
    with (folder / "otpguard.toml").open("a") as file:
        file.write(f'\nepisode = "{topic}"')
    given = ("--config", str(folder / "otpguard.toml"))
    for platform, meant in (
        ("从来见过", "Did you mean sig:从未见过"),
        ("招商银", "Did you mean sig:招商银行"),
        ("nosuchplatform", "this recipient's case has sig:"),
    ):
        done = ended("allow", number, platform, "-r", "x", *given)
        assert done.returncode == 2, done.stdout
        assert meant in done.stderr
        assert done.stderr.count("settings of") <= 1
        assert done.stdout == ""
    for platform in ("从未见过", "招商银行"):
        done = ended("allow", number, platform, "-r", "x", "--wait", "0", *given)
        assert done.returncode == 0, done.stderr
    done = ended("allow", number, "nosuchplatform", "-r", "x", "--unseen", "--wait", "0", *given)
    assert done.returncode == 0, done.stderr


def test_a_word_that_nobody_confirms_is_said_to_stand_and_counts_later(
    world: World, keys: redis.Redis, folder: Path
) -> None:
    world.say(action("8613900000001", 1, at_ms=now_ms()))
    done = otpguard(folder, "release", "13900000001", "--reason", "x", "--wait", "0.5")
    assert done.returncode == 75
    assert "no adapter confirmed" in done.stderr
    with world.adapter():  # it is ready when it has read what was said
        assert throttled(keys) == set()


@pytest.mark.parametrize(
    ("role", "words"), [("override", ["release", "13900000001"]), ("everyone", ["mode", "off"])]
)
def test_a_word_whose_topic_is_missing_is_a_matter_of_settings(
    world: World, folder: Path, role: str, words: list[str]
) -> None:
    path = folder / "otpguard.toml"
    path.write_text(path.read_text().replace(getattr(world.topics, role), "nowhere"))
    refused(ConfigError, "no topic nowhere", *words, "-r", "x", "--config", str(path))


def test_a_word_that_no_broker_answered_for_is_not_audited_as_failed(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered(*_: object) -> int:
        raise UncertainError("it is not known whether the topic has the override")

    monkeypatch.setattr(prompt, "say", unanswered)
    given = ("-r", "x", "--wait", "0", "--config", str(folder / "otpguard.toml"))
    refused(UncertainError, "not known whether", "release", "13900000001", *given)
    records = written(world.clients, world.topics.audit)
    assert [decode_audit(each.value).outcome for each in records] == ["asked", "unknown"]


def test_a_word_that_a_gateway_refuses_is_said_to_have_failed_and_a_restart_says_it_again(
    world: World, folder: Path
) -> None:
    number = "8613900000001"
    with receiver() as smsc:

        def gateway() -> WebhookGateway:
            return WebhookGateway(smsc.url, SECRET)

        with world.adapter("smsc-1", gateway=gateway()):
            world.say(action(number, 1, at_ms=now_ms()))
            wait_until(lambda: smsc.held() == {number}, "it is held")
            wait_until(lambda: len(world.acks(1)) == 1, "acknowledged")
            smsc.answers = {"release": 401}
            done = otpguard(folder, "release", number, "--reason", "she called", *PATIENTLY)
            assert done.returncode == 75
            assert "not obeyed by smsc-1 (http_401)" in done.stderr
            assert smsc.held() == {number}
        smsc.answers = {}
        with world.adapter("smsc-1", gateway=gateway()):
            wait_until(lambda: smsc.held() == set(), "it is let go")
    obeyed = ("applied", f"release by {getpass.getuser()}: she called")
    wait_until(lambda: told(world)[-1] == obeyed, "that it is obeyed is said")
    assert told(world)[0] == ("failed", "http_401")


def told(world: World) -> list[tuple[str, str]]:
    """State and reason of what was acknowledged of words, in the order of the topic."""
    acks = [decode_ack(record.value) for record in written(world.clients, world.topics.acks)]
    return [(ack.state, ack.why) for ack in acks if ack.action_id.startswith("override")]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["release", "nobody", "-r", "x"], "neither a number nor a token"),
        (["release", "13900000001", "-r", "x", "--for", "soon"], "no span of time"),
        (["mode", "on", "-r", "x"], "none of shadow, enforce, off"),
        (["exempt", "13900000001"], '--reason "…" is needed'),
        (["release", "13900000001"], '--reason "…" is needed'),
        (["mode", "off"], '--reason "…" is needed'),
        (["mode", "normall", "-r", "x"], "shadow, enforce, off, normal"),
        (["exempt", "*", "-r", "x"], "use `mode`"),
        (["allow", "13900000001", "！", "-r", "x"], "names no platform"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_published(
    words: list[str], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "otpguard.toml").write_text('kafka = {bootstrap = "127.0.0.1:9"}')
    done = ended(*words, "--config", str(tmp_path / "otpguard.toml"))
    assert (done.returncode, complaint in done.stderr) == (2, True), done.stderr
