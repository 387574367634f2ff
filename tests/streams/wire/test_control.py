"""The operator's word and the adapters' answers: what can be said, and by which key."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.wire.control import (
    COUNTED_PLATFORMS_MAX,
    EVERYONE,
    RAILS_FOR_MAX_MS,
    Ack,
    Counts,
    Override,
    decode_ack,
    decode_counts,
    decode_override,
    encode_ack,
    encode_counts,
    encode_override,
    key_parts,
    override_id,
    override_key,
)
from streams.wire.version import UnreadableError, VersionError

VICTIM = "8613900000001"


def word(**fields: Any) -> Override:
    said = {"recipient": VICTIM, "verb": "exempt", "actor": "noc", "reason": "ticket 7"}
    return Override(**{"issued_at_ms": 5, **said, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "exempt"},
        {"verb": "release", "expires_at_ms": 9},
        {"verb": "allow", "platform": "sig:a"},
        {"verb": "allow", "platform": "sig:a", "recipient": EVERYONE},
        {
            "verb": "allow",
            "platform": "sig:a",
            "once": True,
            "expires_at_ms": 9,
            "schema_version": 3,
        },
        {"verb": "mode", "recipient": EVERYONE, "mode": "off"},
        {
            "verb": "rails",
            "recipient": EVERYONE,
            "times": 3,
            "expires_at_ms": 9,
            "schema_version": 2,
        },
    ],
)
def test_what_can_be_said_comes_back_as_it_went(fields: dict[str, Any]) -> None:
    said = word(**fields)
    assert decode_override(encode_override(said)) == said
    assert key_parts(override_key(said)) == (said.recipient, said.verb, said.platform)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"verb": "release"}, "a release ends"),
        ({"verb": "allow"}, "platform belongs"),
        ({"platform": "sig:a"}, "platform belongs"),
        ({"verb": "mode"}, "about everyone"),
        ({"recipient": EVERYONE}, "use `mode`"),
        ({"times": 3}, "times belong"),
        ({"verb": "rails", "times": 3, "expires_at_ms": 9, "schema_version": 2}, "about everyone"),
        ({"verb": "rails", "recipient": EVERYONE, "expires_at_ms": 9}, "from version 2"),
        ({"verb": "rails", "recipient": EVERYONE, "schema_version": 2}, "within a day"),
        (
            {
                "verb": "rails",
                "recipient": EVERYONE,
                "schema_version": 2,
                "expires_at_ms": 5 + RAILS_FOR_MAX_MS + 1,
            },
            "within a day",
        ),
        ({"recipient": EVERYONE, "verb": "release", "expires_at_ms": 9}, "use `mode`"),
    ],
)
def test_what_cannot_be_meant_is_refused_here_and_from_the_topic(
    fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        word(**fields)
    raw = msgspec.json.decode(encode_override(word())) | fields
    with pytest.raises(UnreadableError):
        decode_override(msgspec.json.encode(raw))


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "exempt", "platform": ""},
        {"recipient": EVERYONE},
        {"expires_at_ms": None},
        {"schema_version": 2},
    ],
)
def test_one_code_passes_of_one_platform_at_one_number_until_a_time(fields: dict[str, Any]) -> None:
    said: dict[str, Any] = {
        "verb": "allow", "platform": "sig:a", "once": True, "expires_at_ms": 9, "schema_version": 3,
    }  # fmt: skip
    with pytest.raises(ValueError, match="one code"):
        word(**{**said, **fields})
    raw = msgspec.json.decode(encode_override(word(**said))) | fields
    with pytest.raises(UnreadableError):
        decode_override(msgspec.json.encode(raw))


def test_words_about_one_thing_share_a_key_and_others_do_not() -> None:
    assert override_key(word(reason="again")) == override_key(word())
    allowed = [word(verb="allow", platform=name) for name in ("sig:a", "sig:b")]
    assert len({override_key(each) for each in (word(), *allowed)}) == 3


def test_a_platform_with_bars_in_its_key_keeps_them() -> None:
    said = word(verb="allow", platform="sig:a|b|c")
    assert key_parts(override_key(said)) == (said.recipient, "allow", "sig:a|b|c")


@pytest.mark.parametrize("key", [None, b"", b"8613900000001|release", b"\xff"])
def test_a_key_that_is_no_override_s_has_no_parts(key: bytes | None) -> None:
    assert key_parts(key) is None


def test_a_word_about_everyone_is_acknowledged_by_another_id() -> None:
    assert override_id(word(), 7) == "override-7"
    everyone = word(verb="mode", recipient=EVERYONE)
    assert override_id(everyone, 7) == "override-all-7"


def test_an_answer_comes_back_as_it_went_and_a_newer_one_names_its_version() -> None:
    said = Ack(action_id="a1", gateway_id="g", state="failed", why="away", at_ms=5)
    assert decode_ack(encode_ack(said)) == said
    newer = msgspec.json.decode(encode_ack(said)) | {"schema_version": 2, "extra": [1]}
    with pytest.raises(VersionError, match="version 2"):
        decode_ack(msgspec.json.encode(newer))
    assert decode_ack(msgspec.json.encode(newer | {"schema_version": 1})) == said


@pytest.mark.parametrize("name", ["", "-a", "a b", "a\n", "\x1b]52;c;cm0=\x07", "网关", "a" * 65])
def test_answers_and_counts_of_a_gateway_that_no_setting_can_name_are_refused(name: str) -> None:
    said = Ack(action_id="a1", gateway_id=name, state="failed", why="away", at_ms=5)
    counts = Counts(action_id="a1", episode_id="e", gateway_id=name, at_ms=5, refused=7)
    with pytest.raises(UnreadableError):
        decode_ack(encode_ack(said))
    with pytest.raises(UnreadableError):
        decode_counts(encode_counts(counts))


def test_a_word_without_the_newer_fields_is_written_as_before_there_were_any() -> None:
    assert encode_override(word()).endswith(b'"platform":"","mode":"enforce","schema_version":1}')


@pytest.mark.parametrize("name", ["via", "ticket", "approved_by"])
def test_a_newer_field_is_written_where_it_says_something(name: str) -> None:
    said = word(**{name: "x"})
    assert msgspec.json.decode(encode_override(said))[name] == "x"
    assert decode_override(encode_override(said)) == said
    with pytest.raises(UnreadableError):
        decode_override(msgspec.json.encode(msgspec.json.decode(encode_override(said)) | {name: 7}))


def test_counts_come_back_as_they_went_and_have_so_many_platforms_at_most() -> None:
    most = dict.fromkeys(range(1, COUNTED_PLATFORMS_MAX + 1), 1)
    said = Counts(
        action_id="a", episode_id="e", gateway_id="g", at_ms=5, refused=70, by_platform=most
    )
    assert decode_counts(encode_counts(said)) == said
    for bad in ({**most, 99: 1}, {"x": 1}, {str(2**32): 1}, {"7": -1}):
        raw = msgspec.json.decode(encode_counts(said)) | {"by_platform": bad}
        with pytest.raises(UnreadableError):
            decode_counts(msgspec.json.encode(raw))


def test_a_word_about_the_rails_bears_the_version_that_older_adapters_refuse() -> None:
    said = word(verb="rails", recipient=EVERYONE, times=2, expires_at_ms=9, schema_version=2)
    assert msgspec.json.decode(encode_override(said))["schema_version"] == 2
    assert "times" not in msgspec.json.decode(encode_override(word()))
    raw = msgspec.json.encode(msgspec.json.decode(encode_override(said)) | {"times": 11})
    with pytest.raises(UnreadableError):
        decode_override(raw)
