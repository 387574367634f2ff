"""A lost topic of the operator's words comes back from a file, and undoes nothing said since."""

from __future__ import annotations

import json
import stat
from functools import partial
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from streams.cli.topics_command import app
from streams.common.errors import OtpguardError, UnavailableError, UsageError
from streams.tools.operate import overrides as backup
from streams.tools.operate.overrides import FORM, RestoredWords, restore, save_overrides
from streams.wire import encode_override, override_key
from tests.builders.streams.tools.operate.overrides import Words
from tests.enforce.records import override
from tests.full_disk import no_room
from tests.nodes import Broker

pytestmark = pytest.mark.broker


@pytest.fixture
def pair(broker: Broker, unique: str) -> tuple[Words, Words]:
    """The topic that is saved, and a new one in its place."""
    return Words(broker, f"{unique}-old"), Words(broker, f"{unique}-new")


def test_words_come_back_byte_for_byte_and_a_second_time_changes_nothing(
    pair: tuple[Words, Words],
) -> None:
    old, new = pair
    words = [
        override("exempt", recipient="8613900000001"),
        override("allow", recipient="8613900000002", platform="sig:淘宝"),
        override("mode", recipient="*", mode="shadow"),
    ]
    old.say(*words, override("exempt", recipient="8613900000003"))
    old.producer.send(old.name, None, key=b"8613900000003|exempt|").get(10)
    old.producer.send(old.name, b"no word", key=b"junk").get(10)
    lines = list(save_overrides(old.clients, [old.name, old.name]))
    done = restore(new.clients, lines, new.name, new.name)
    standing = {key: value for key, value in old.standing().items() if key != b"junk"}
    assert done == RestoredWords(len(standing), 0)
    assert new.standing() == standing
    assert restore(new.clients, lines, new.name, new.name) == RestoredWords(0, len(standing))


def test_a_word_said_since_is_not_undone(pair: tuple[Words, Words]) -> None:
    old, new = pair
    word = override("exempt", recipient="8613900000001")
    old.say(word)
    newer = msgspec.structs.replace(word, reason="said since")
    new.say(newer)
    lines = list(save_overrides(old.clients, [old.name]))
    assert restore(new.clients, lines, new.name, new.name) == RestoredWords(0, 1)
    (value,) = new.standing().values()
    assert json.loads(value)["reason"] == "said since"


def test_a_first_word_that_the_broker_does_not_take_keeps_no_other(
    pair: tuple[Words, Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, new = pair
    long = msgspec.structs.replace(override("exempt", recipient="8613900000001"), reason="x" * 200)
    words = [long, *(override("exempt", recipient=f"861390000000{n}") for n in range(2, 5))]
    lines = [json.dumps({"form": FORM})]
    lines += [json.dumps({"word": json.loads(encode_override(word))}) for word in words]
    most = len(encode_override(words[1])) + 190
    monkeypatch.setattr(backup, "KafkaProducer", partial(KafkaProducer, max_request_size=most))
    with pytest.raises(UnavailableError, match="MessageSizeTooLarge"):
        restore(new.clients, lines, new.name, new.name)
    assert new.standing().keys() == {override_key(word) for word in words[1:]}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{}", "not a file of overrides"),
        ("x", "not a file of overrides"),
        ('{"form": "otpguard.words/2"}', "line 1"),
        ("[" * 100_000, "not a file of overrides"),
    ],
)
def test_another_file_is_refused_before_anything_is_said(
    pair: tuple[Words, Words], line: str, says: str, tmp_path: Path, broker: Broker
) -> None:
    file = tmp_path / "words.jsonl"
    file.write_text(f'{line}\n{{"word": {{}}}}\n')
    done = command(pair[1], broker, tmp_path, "restore", str(file))
    assert done[0] == 2
    assert says in done[1]
    assert pair[1].standing() == {}


def test_the_commands_save_for_their_owner_alone_and_restore(
    pair: tuple[Words, Words], tmp_path: Path, broker: Broker
) -> None:
    old, new = pair
    old.say(override("exempt", recipient="8613900000001"))
    file = tmp_path / "words.jsonl"
    code, said = command(old, broker, tmp_path, "backup", "--output", str(file))
    assert (code, said) == (0, f"1 overrides saved to {file}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    code, said = command(new, broker, tmp_path, "restore", str(file))
    assert (code, said) == (0, "1 overrides restored; 0 exist already\n")
    assert new.standing() == old.standing()


def test_a_disk_that_is_full_leaves_the_backup_of_before(
    pair: tuple[Words, Words], tmp_path: Path, broker: Broker
) -> None:
    old, new = pair
    old.say(override("exempt", recipient="8613900000001"))
    file = tmp_path / "words.jsonl"
    assert command(old, broker, tmp_path, "backup", "--output", str(file))[0] == 0
    before = file.read_bytes()
    old.say(*(override("exempt", recipient=f"86139000001{i:02}") for i in range(50)))
    with no_room(len(before) + 100):
        code, said = command(old, broker, tmp_path, "backup", "--output", str(file))
    assert code == 75, said
    assert file.read_bytes() == before
    assert command(new, broker, tmp_path, "restore", str(file))[0] == 0


def command(words: Words, broker: Broker, folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and words of `otpguard topics …` where these are the topics."""
    config = folder / "otpguard.toml"
    config.write_text(
        f'kafka = {{bootstrap = "{broker.bootstrap}"}}\n'
        f'topics = {{override = "{words.name}", everyone = "{words.name}"}}\n'
    )
    done = CliRunner().invoke(app, [*arguments, "--config", str(config)])
    if isinstance(done.exception, OtpguardError):
        return int(done.exception.exit_code), str(done.exception)
    return done.exit_code, done.output


def test_a_reason_with_any_line_end_comes_back_and_empty_lines_are_passed_over(
    pair: tuple[Words, Words], tmp_path: Path, broker: Broker
) -> None:
    old, new = pair
    old.say(override("exempt", reason="a\u2028b\u2029c\x85d\x0be\x1cf\ng"))
    file = tmp_path / "words.jsonl"
    assert command(old, broker, tmp_path, "backup", "--output", str(file))[0] == 0
    file.write_text(file.read_text("utf-8").replace("\n", "\n\n"), "utf-8")
    assert command(new, broker, tmp_path, "restore", str(file)) == (
        0, "1 overrides restored; 0 exist already\n",
    )  # fmt: skip
    assert new.standing() == old.standing()


NEWER = b'{"schema_version": 99, "verb": "exempt", "recipient": "8613900000001", "for": "all"}'


def test_a_word_of_a_newer_program_is_saved_as_it_is_and_left_to_that_program(
    pair: tuple[Words, Words],
) -> None:
    old, new = pair
    old.say(override("exempt", recipient="8613900000002"))
    old.producer.send(old.name, NEWER, key=b"8613900000001|exempt|").get(10)
    lines = list(save_overrides(old.clients, [old.name]))
    assert [json.loads(line)["word"] for line in lines[1:]].count(json.loads(NEWER)) == 1
    with pytest.raises(UsageError, match=r"line [23]: an override of a newer version"):
        restore(new.clients, lines, new.name, new.name)
    assert new.standing() == {}, "nothing is said of a file that cannot be said whole"


@pytest.mark.parametrize("value", [NEWER, b"no word"])
def test_nothing_is_said_over_what_stands_whatever_it_is(
    pair: tuple[Words, Words], value: bytes
) -> None:
    old, new = pair
    word = override("exempt", recipient="8613900000001")
    old.say(word)
    new.producer.send(new.name, value, key=override_key(word)).get(10)
    lines = list(save_overrides(old.clients, [old.name]))
    assert restore(new.clients, lines, new.name, new.name) == RestoredWords(0, 1)
    assert new.standing() == {override_key(word): value}
