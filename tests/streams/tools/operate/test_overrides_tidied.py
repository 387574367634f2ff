"""Words that are long over leave the topic; words that hold, or are said meanwhile, do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.cases import app
from streams.tools.operate import overrides as module
from streams.tools.operate.overrides import KEPT_MS, Tidied, tidy
from streams.wire import EVERYONE, encode_override, override_key
from tests.builders.streams.tools.operate.overrides import Words
from tests.enforce.records import START_MS, override
from tests.nodes import Broker

pytestmark = pytest.mark.broker

NOW_MS = START_MS + 30 * 86_400_000
OVER_MS = NOW_MS - KEPT_MS


@pytest.fixture
def words(broker: Broker, unique: str) -> Iterator[Words]:
    made = Words(broker, unique)
    with closing(made.producer):
        yield made


def test_only_words_that_ended_over_a_day_ago_are_deleted(words: Words) -> None:
    stand = [
        override("exempt", "8613900000001", expires_at_ms=None),
        override("release", "8613900000002", expires_at_ms=OVER_MS + 1),
        override("mode", EVERYONE, mode="off", expires_at_ms=None),
    ]
    over = [
        override("release", "8613900000003", expires_at_ms=OVER_MS),
        override("allow", "8613900000004", platform="sig:a|b", expires_at_ms=START_MS),
        override("exempt", "8613900000005", expires_at_ms=START_MS),
    ]
    words.say(*stand, *over)
    words.say(override("exempt", "8613900000005", expires_at_ms=None))  # said anew
    words.producer.send(words.name, b"nonsense", key=b"8613900000006|exempt|")
    words.producer.flush()
    kept = {*map(override_key, stand), b"8613900000005|exempt|", b"8613900000006|exempt|"}
    assert tidy(words.clients, words.name, NOW_MS, dry_run=True) == Tidied(5, 2, 0)
    assert len(words.standing()) == 7
    assert tidy(words.clients, words.name, NOW_MS) == Tidied(5, 2, 0)
    assert words.standing().keys() == kept
    assert tidy(words.clients, words.name, NOW_MS) == Tidied(5, 0, 0)


def test_a_word_that_is_said_between_reading_and_deleting_stands(
    words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = override("mode", EVERYONE, mode="shadow", expires_at_ms=START_MS)
    off = override("mode", EVERYONE, mode="off", expires_at_ms=None)
    words.say(over)
    real = module._delete

    def interrupted(producer: Any, found: Any) -> Any:
        words.say(off)
        return real(producer, found)

    monkeypatch.setattr(module, "_delete", interrupted)
    assert tidy(words.clients, words.name, NOW_MS) == Tidied(1, 1, 1)
    assert words.standing() == {override_key(off): encode_override(off)}


def test_the_command_tidies_both_topics_once_where_they_are_one(
    words: Words, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTPGUARD_KAFKA_BOOTSTRAP", broker.bootstrap)
    monkeypatch.setenv("OTPGUARD_TOPICS_OVERRIDE", words.name)
    words.say(override("release", "8613900000003", expires_at_ms=START_MS))
    done = CliRunner().invoke(app, ["tidy", "--dry-run"])
    assert done.output == f"{words.name}: 1 would be deleted, 0 left\n"
    done = CliRunner().invoke(app, ["tidy"])
    assert done.output == f"{words.name}: 1 deleted, 0 left\n"
    assert not words.standing()
