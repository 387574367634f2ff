"""`otpguard init` on real brokers: what it finds, asks, writes, makes and says.

Where there are three brokers, a test is part of `make integration`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.cli.init import _write
from streams.cluster.admin import Cluster
from streams.cluster.topics import topics
from streams.common.errors import Exit, UnavailableError
from streams.config import Kafka, load
from tests.deploy.guarded import castle
from tests.full_disk import no_room
from tests.nodes import Broker
from tests.waiting import END_S

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[3]


def init(
    folder: Path, *words: str, answers: str = "", command: tuple[str, ...] = ("init",),
    **environment: str,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    return subprocess.run(
        [sys.executable, "-m", "streams", *command, *words], input=answers, capture_output=True,
        text=True, cwd=folder, check=False, timeout=END_S,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def test_one_machine_is_asked_nothing_and_ends_with_a_doctor(
    own_kafka: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = own_kafka()
    done = init(tmp_path, "--single", OTPGUARD_KAFKA_BOOTSTRAP=broker.bootstrap)
    assert done.returncode == Exit.DONE, done.stdout + done.stderr
    written = tomllib.loads((tmp_path / "otpguard.toml").read_text())
    assert written["kafka"] == {"bootstrap": broker.bootstrap}
    assert written["topics"] == {"partitions": 4, "replication": 1}
    assert "input" not in written, "nobody said in which country"
    assert written["desk"] == {"store": f"sqlite:///{tmp_path}/desk.db"}
    wanted = {each.name for each in topics(load(tmp_path / "otpguard.toml"))}
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        assert wanted <= cluster.names()
    for sentence in (
        "1 broker, Kafka 4",
        "created sms.delivery.v1",
        "otpguard worker        # 9464",
        "enforce log   # 9465",
        "ask nobody for any",
        "ok      broker",
    ):
        assert sentence in done.stdout
    made = init(
        tmp_path, answers="correct horse battery staple\n",
        command=("desk", "user", "add", "root", "--role", "admin"),
    )  # fmt: skip
    assert made.returncode == Exit.DONE, made.stderr  # the desk has its store where it was set up
    again = init(tmp_path, "--single")  # the file says where the broker is
    assert again.returncode == Exit.DONE, again.stderr
    assert "is there already, and stays as it is" in again.stdout
    assert "all topics are there" in again.stdout


@pytest.mark.integration
def test_three_brokers_get_three_copies_and_an_answer_beats_what_is_proposed(
    own_kafka: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = own_kafka(nodes=3, heap="256m")
    done = init(tmp_path, answers=f"{broker.bootstrap}\n\nde\n6\n\n")
    assert done.returncode == Exit.DONE, done.stdout + done.stderr
    assert "Partitions of the input (never expanded in flight) [32]" in done.stdout
    written = tomllib.loads((tmp_path / "otpguard.toml").read_text())
    assert written["topics"] == {"partitions": 6, "replication": 3}
    assert written["input"] == {"country": "DE"}


def test_guarded_brokers_ask_for_rights_and_whoever_may_not_make_topics_is_told_who_may(
    tmp_path: Path,
) -> None:
    with castle(tmp_path, ["stranger"]) as guarded:
        for user, code in (("stranger", Exit.CONFIG), ("admin", Exit.DONE)):
            folder = tmp_path / f"of-{user}"
            folder.mkdir()
            guarded.config(user)
            answers = (guarded.broker.bootstrap, "sasl_ssl", user, f"../{user}.password",
                       "../ca.pem", "IN", "2", "")  # fmt: skip
            done = init(folder, answers="\n".join(answers) + "\n")
            said = done.stdout + done.stderr
            assert done.returncode == code, said
            assert "otpguard topics acls --apply worker=otpguard-worker" in said
            assert ("as administrator: OTPGUARD_KAFKA_USERNAME=admin" in said) == bool(code)
            settings = load(folder / "otpguard.toml")
            assert settings.topics.everyone == "otpguard.override.all.v1"
            assert "Secret" not in (folder / "otpguard.toml").read_text()


def test_without_a_broker_or_an_answer_it_says_what_to_do_and_writes_nothing(
    tmp_path: Path,
) -> None:
    nobody = "127.0.0.1:9"
    done = init(tmp_path, answers="127.0.0.1:9\n\n", OTPGUARD_KAFKA_BOOTSTRAP=nobody)
    assert done.returncode == Exit.TRY_AGAIN
    assert "no broker answers at 127.0.0.1:9" in done.stderr
    done = init(tmp_path, answers="", OTPGUARD_KAFKA_BOOTSTRAP=nobody)
    assert done.returncode == Exit.USAGE
    assert "--single asks nothing" in done.stderr
    done = init(
        tmp_path, answers="127.0.0.1:9\nsasl_ssl\nme\nnowhere\n-\n", OTPGUARD_KAFKA_BOOTSTRAP=nobody
    )
    assert done.returncode == Exit.CONFIG
    assert "kafka.settings: password_file" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_of_the_settings_and_leaves_none(tmp_path: Path) -> None:
    to = tmp_path / "otpguard.toml"
    with no_room(10), pytest.raises(UnavailableError, match="--to names another file"):
        _write(to, Kafka(), {}, partitions=8, copies=1)
    assert list(tmp_path.iterdir()) == []
