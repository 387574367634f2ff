"""Dead letters on a real broker: listed without a number or a text, and replayed once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer
from typer.testing import CliRunner

from streams import wire
from streams.__main__ import app
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.topics import topics
from streams.common.errors import Exit, UnavailableError
from streams.config import Settings, load
from streams.tools.operate import dead_letters
from streams.tools.operate.dead_letters import BATCH
from tests.nodes import Broker
from tests.reading import written
from tests.streams.cli.called import refused
from tests.waiting import END_S

pytestmark = pytest.mark.kafka

NUMBER = "+8617000991234"
CODE = "583921"
BELONGS = 1  # of two partitions, the one of b"key"


def event(name: str, **fields: object) -> bytes:
    """A good event, unless fields make it a bad one."""
    return json.dumps(
        {
            "schema_version": 1,
            "recipient": NUMBER,
            "sender": "1069012345",
            "event_time_ms": time.time_ns() // 1_000_000 - 60_000,
            "message_id": name,
            "text": f"【淘宝】验证码 {CODE}",
            **fields,
        }
    ).encode()


def long(name: str) -> bytes:
    """A good event that a worker refuses whose limit was set too low."""
    return event(name, note="x" * 1000)


@dataclass
class Desk:
    """Topics of its own on the shared broker, and the program that works on them."""

    settings: Settings
    config: Path
    taken: int = 0

    def otpguard(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "streams", "dlq", *words, "--config", str(self.config)],
            capture_output=True, timeout=END_S, check=False,
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        """The command in this process: an interpreter takes a second to start."""
        done = CliRunner().invoke(app, ["dlq", *words, "--json", "--config", str(self.config)])
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)

    def send(
        self, values: list[bytes | None], partition: int = 0, key: bytes | None = b"key"
    ) -> None:
        """Producers of events."""
        with closing(KafkaProducer(**client_arguments(self.settings.kafka))) as producer:
            for value in values:
                producer.send(self.settings.topics.input, value, key, partition=partition)
            producer.flush(END_S)

    def refuse(self, **input_: Any) -> int:
        """Do what a worker does with what is new in the input; return how many it refused."""
        intake = self.settings.model_copy(
            update={"input": self.settings.input.model_copy(update=input_)}
        ).intake()
        refused = 0
        records = self.records(self.settings.topics.input)
        with closing(KafkaProducer(**client_arguments(self.settings.kafka))) as producer:
            for record in records[self.taken :]:
                rejects = wire.decode(
                    intake, record.topic, record.partition, [record.value], [record.key],
                    [record.offset], [record.timestamp], record.offset + 1,
                ).rejects  # fmt: skip
                for reject in rejects:
                    key, value, headers = wire.dead_letter(reject, record.topic, record.partition)
                    producer.send(self.settings.topics.dead_letters, value, key, list(headers))
                    refused += 1
            producer.flush(END_S)
        self.taken = len(records)
        return refused

    def records(self, topic: str) -> list[Any]:
        """All records, in the order of their times."""
        found = written(client_arguments(self.settings.kafka), topic)
        return sorted(found, key=lambda record: record.timestamp)


@pytest.fixture
def desk(broker: Broker, unique: str, tmp_path: Path) -> Desk:
    path = tmp_path / "otpguard.toml"
    path.write_text(
        f'app_id = "{unique}"\n[kafka]\nbootstrap = "{broker.bootstrap}"\n'
        f'[topics]\ninput = "{unique}.in"\ndead_letters = "{unique}.dlq"\n'
        "partitions = 2\nreplication = 1\n"
    )
    settings = load(path)
    with Cluster(settings.kafka) as cluster:
        for topic in topics(settings):
            if topic.role in ("input", "dead_letters"):
                cluster.create(topic.name, 2, 1, topic.configs)
    return Desk(settings, path)


def test_letters_are_listed_and_counted_by_reason_and_name_nobody(desk: Desk) -> None:
    desk.send([b"{bad", event("a", recipient="12"), event("good"), event("b", recipient="13")])
    desk.send([None], partition=1)
    assert desk.refuse() == 4
    told = desk.json("ls")
    assert told["counts"] == {
        "bad_recipient": {"waiting": 2},
        "invalid_json": {"waiting": 1},
        "null_value": {"waiting": 1},
    }
    by_source = {each["source"]: each["reason"] for each in told["letters"]}
    name = desk.settings.topics.input
    assert by_source == {
        f"{name}/0/0": "invalid_json",
        f"{name}/0/1": "bad_recipient",
        f"{name}/0/3": "bad_recipient",
        f"{name}/1/0": "null_value",
    }
    only = desk.json("ls", "--reason", "bad_recipient", "--partition", "0", "--limit", "1")
    assert [each["source"] for each in only["letters"]] == [f"{name}/0/3"]
    assert only["counts"] == {"bad_recipient": {"waiting": 2}}
    assert desk.json("ls", "--since", "1h")["counts"] == told["counts"]
    assert desk.json("ls", "--until", "1h")["counts"] == {}
    shown = (
        desk.otpguard("ls").stdout + desk.otpguard("show", only["letters"][0]["position"]).stdout
    )
    assert b"bad_recipient: 2 (waiting 2)" in shown
    assert NUMBER[1:].encode() not in shown
    assert CODE.encode() not in shown


def test_the_bytes_of_one_are_shown_only_when_asked_for_and_with_a_warning(desk: Desk) -> None:
    value = event("a", recipient="12")
    desk.send([value])
    desk.refuse()
    position = desk.json("ls")["letters"][0]["position"]
    done = desk.otpguard("show", position, "--raw")
    assert done.stdout == value
    assert b"personal data" in done.stderr
    missing = desk.otpguard("show", "0:999")
    assert missing.returncode == Exit.USAGE
    assert b"no dead letter at 0:999" in missing.stderr


@pytest.mark.parametrize(
    ("key", "sent", "comes"),
    [(b"key", BELONGS, BELONGS), (b"key", 1 - BELONGS, BELONGS), (None, 0, 0), (None, 1, 1)],
    ids=["where its key belongs", "elsewhere", "no key", "no key, in the other"],
)
def test_a_letter_is_replayed_once_byte_for_byte_to_where_its_key_belongs(
    desk: Desk, key: bytes | None, sent: int, comes: int
) -> None:
    values = [long(f"{i}") for i in range(5)]
    desk.send([*values, b"{bad"], sent, key)
    assert desk.refuse(value_bytes_max=1024) == 6
    trial = desk.json("replay", "--dry-run")
    assert (trial["would_publish"], trial["would_be_refused"]) == (5, {"invalid_json": 1})
    assert len(desk.records(desk.settings.topics.input)) == 6
    assert desk.json("replay", "--limit", "2")["published"] == 2
    assert desk.json("replay", "--reason", "too_large")["published"] == 3
    last = desk.json("replay")
    assert (last["published"], last["replayed_before"]) == (0, 5)
    came = desk.records(desk.settings.topics.input)[6:]
    assert sorted(record.value for record in came) == sorted(values)
    assert {(record.key, record.partition) for record in came} == {(key, comes)}
    assert all("dead_letter" in dict(record.headers) for record in came)
    assert desk.refuse() == 0
    assert desk.json("ls")["counts"] == {
        "too_large": {"replayed": 5},
        "invalid_json": {"waiting": 1},
    }


def test_what_a_worker_says_again_after_a_crash_is_one_letter(desk: Desk) -> None:
    desk.send([long("a")])
    desk.refuse(value_bytes_max=1024)
    assert desk.json("replay")["published"] == 1
    desk.taken = 0
    assert desk.refuse(value_bytes_max=1024) == 2  # the first again, and its replay
    told = desk.json("ls")
    assert told["repeats"] == 1
    assert told["counts"] == {"too_large": {"replayed": 1, "refused again": 1}}


def test_a_replay_that_is_refused_again_is_shown_and_left_alone_until_asked_for(
    desk: Desk,
) -> None:
    desk.send([b"{bad"])
    assert desk.refuse() == 1
    assert desk.json("replay", "--unchecked")["published"] == 1
    assert desk.refuse() == 1
    assert desk.json("ls")["counts"] == {"invalid_json": {"replayed": 1, "refused again": 1}}
    told = desk.json("replay", "--unchecked")
    assert (told["published"], told["refused_again"], told["replayed_before"]) == (0, 1, 1)
    assert desk.json("replay", "--unchecked", "--again")["published"] == 1


def test_what_ls_says_of_a_letter_show_says_too(desk: Desk) -> None:
    desk.send([b"{bad", b"{worse"], partition=1 - BELONGS)
    assert desk.refuse() == 2
    first = desk.json("ls")["letters"][0]["position"]
    assert desk.json("replay", "--unchecked", "--limit", "1")["published"] == 1
    assert desk.refuse() == 1
    told = {each["position"]: each["fate"] for each in desk.json("ls")["letters"]}
    assert sorted(told.values()) == ["refused again", "replayed", "waiting"]
    assert {each: desk.json("show", each)["fate"] for each in told} == told
    assert told[first] == "replayed"


@pytest.mark.parametrize(
    ("replayed_ms", "letter_ms", "fate"),
    [(2000, 3000, "waiting"), (2000, 2000, "refused again")],
)
def test_a_letter_at_the_place_of_a_replay_is_that_replay_only_if_the_time_is_the_same_too(
    desk: Desk, replayed_ms: int, letter_ms: int, fate: str
) -> None:
    """An input that was made anew counts from nought again."""
    names = desk.settings.topics

    def headers(offset: int, time_ms: int, **more: object) -> list[tuple[str, bytes]]:
        told = {"topic": names.input, "partition": 0, "offset": offset, "time": time_ms, **more}
        return [(name, str(each).encode()) for name, each in told.items()]

    mark = headers(1, 1000, replayed_to=f"{names.input}/0/7", replayed_time=replayed_ms)
    with closing(KafkaProducer(**client_arguments(desk.settings.kafka))) as producer:
        producer.send(names.dead_letters, b"", b"replayed/0-1", mark, partition=0).get(END_S)
        letter = headers(7, letter_ms, reason="too_large")
        producer.send(names.dead_letters, b"{bad", b"key", letter, partition=1).get(END_S)
    assert desk.json("ls")["counts"] == {"too_large": {fate: 1}}
    assert desk.json("show", "1:0")["fate"] == fate


def test_a_list_of_abused_platforms_is_not_replayed_even_unchecked(desk: Desk) -> None:
    desk.send([b'{"event_type": "hot"}'])
    assert desk.refuse() == 1
    told = desk.json("replay", "--unchecked")
    assert (told["published"], told["would_be_refused"]) == (0, {"hot": 1})


def test_cut_and_empty_letters_are_not_replayed(desk: Desk) -> None:
    desk.send([b"x" * 200_000, None])
    assert desk.refuse() == 2
    assert desk.json("replay", "--unchecked")["cut_or_empty"] == 2


def test_a_first_letter_that_kafka_does_not_take_keeps_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [event("0", note="x" * 3000), long("1"), long("2")]
    desk.send([*values])
    assert desk.refuse(value_bytes_max=1024) == 3
    small = partial(KafkaProducer, max_request_size=2500)
    monkeypatch.setattr(dead_letters, "KafkaProducer", small)
    words = ("--rate-max", "4", "--config", str(desk.config))  # one letter in each batch
    refused(UnavailableError, "MessageSizeTooLarge", "dlq", "replay", *words)
    came = {record.value for record in desk.records(desk.settings.topics.input)[3:]}
    assert came == set(values[1:])
    assert desk.json("replay", "--dry-run")["would_publish"] == 1, "the others are marked"


def test_kill_9_in_the_middle_repeats_a_batch_at_most_and_forgets_nothing(desk: Desk) -> None:
    values = [long(f"{i}") for i in range(400)]
    desk.send([*values])
    assert desk.refuse(value_bytes_max=1024) == 400
    per_s = 40  # so that there is a middle for ten seconds
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "dlq", "replay", "--rate-max", str(per_s),
         "--config", str(desk.config)],
    )  # fmt: skip
    while len(desk.records(desk.settings.topics.input)) < 430:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    rest = desk.json("replay")
    assert rest["replayed_before"] >= 20
    came = Counter(record.value for record in desk.records(desk.settings.topics.input)[400:])
    assert came.keys() == set(values)
    assert came.total() - len(values) <= per_s // 4 <= BATCH


def test_no_more_are_sent_a_second_than_allowed_and_a_stop_is_no_loss(
    desk: Desk,
) -> None:
    desk.send([long(f"{i}") for i in range(600)])
    desk.refuse(value_bytes_max=1024)
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "dlq", "replay", "--rate-max", "20", "--json",
         "--config", str(desk.config)], stdout=subprocess.PIPE,
    )  # fmt: skip
    while len(desk.records(desk.settings.topics.input)) < 610:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=END_S)
    sent = json.loads(told)["published"]
    assert json.loads(told)["interrupted"]
    assert sent <= 20 * (time.monotonic() - began) + 5
    assert desk.json("replay")["published"] == 600 - sent


def test_wrong_wishes_are_said_in_one_line(desk: Desk) -> None:
    for code, sentence, words in (
        (Exit.USAGE, "no reason 'typo'; there are: null_value", ("ls", "--reason", "typo")),
        (Exit.USAGE, "'soon' is no span of time", ("replay", "--since", "soon")),
        (Exit.USAGE, "'7' is no position", ("show", "7")),
    ):
        done = desk.otpguard(*words)
        assert done.returncode == code
        assert sentence in done.stderr.decode()
        assert len(done.stderr.decode().splitlines()) == 1


def test_a_missing_topic_is_a_matter_of_configuration(desk: Desk, unique: str) -> None:
    text = desk.config.read_text()
    desk.config.write_text(text.replace(f"{unique}.dlq", f"{unique}.nowhere"))
    done = desk.otpguard("ls")
    assert done.returncode == Exit.CONFIG
    assert f"no topic {unique}.nowhere" in done.stderr.decode()
    desk.config.write_text(text.replace(f"{unique}.in", f"{unique}.nowhere"))
    done = desk.otpguard("replay")
    assert done.returncode == Exit.CONFIG
    assert f"no topic {unique}.nowhere" in done.stderr.decode()


def test_a_record_whose_headers_say_nothing_is_no_letter(desk: Desk) -> None:
    """A header may be null: whoever may write to the topic would end every reading of it."""
    said = {"reason": "x", "topic": "in", "partition": "0", "offset": "7", "time": "1"}
    producer = Producer({"bootstrap.servers": desk.settings.kafka.bootstrap})
    for name in said:
        producer.produce(desk.settings.topics.dead_letters, b"{}", headers={**said, name: None})
    assert producer.flush(END_S) == 0
    del producer  # it would go on asking for a broker that is gone
    assert desk.json("ls")["counts"] == {}
