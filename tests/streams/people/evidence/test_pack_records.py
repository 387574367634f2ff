"""Records of a case: its own, once, in one order, and nothing that no contract names."""

from __future__ import annotations

import json

import pytest

from streams.cases.store.index_writer import LogRecord
from streams.common.errors import UsageError
from streams.people.evidence.canonical import parse_canonical
from streams.people.evidence.pack_records import (
    KINDS,
    at_ms,
    choose,
    from_lines,
    from_log,
    lines_of,
)
from streams.people.evidence.standalone import FORMAT, sha256
from tests.builders.streams.cases.standing import ENDED, LEASE, OPENED
from tests.enforce.records import RECIPIENT
from tests.streams.people.evidence.packs import SAID, SHOP, TRIP, chosen, key, lines


def test_a_case_has_its_own_records_and_the_words_that_held() -> None:
    found = chosen()
    kinds = [each.kind for each in found.records]
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == {
        "earlier": 1, "episode": 2, "incident": 2, "lease": 1, "ack": 2, "word": 2, "message": 4,
        "notice": 1, "counts": 1,
    }  # fmt: skip
    assert [at_ms(each) for each in found.records] == sorted(map(at_ms, found.records))
    assert found.refused == 17 + 9


def test_what_came_twice_counts_once_and_the_order_of_reading_is_nothing() -> None:
    (again,) = choose(from_lines("x", [*lines(), *lines()]), RECIPIENT, RECIPIENT)
    assert again.records == chosen().records
    (turned,) = choose(from_lines("x", lines()[::-1]), RECIPIENT, RECIPIENT)
    assert turned.records == chosen().records


def test_nothing_of_another_number_is_there() -> None:
    assert "8613900000009" not in json.dumps([dict(each.document) for each in chosen().records])


def test_a_case_is_named_by_number_episode_or_action_or_is_not_there() -> None:
    for named in (RECIPIENT, OPENED.episode_id, LEASE.action_id):
        recipient = named if named == RECIPIENT else None
        assert choose(from_lines("x", lines()), named, recipient)
    assert choose(from_lines("x", lines()), "8613900000555", "8613900000555") == []


def test_text_that_somebody_wrote_into_a_topic_gets_into_no_pack() -> None:
    value = json.loads(KINDS["episode"].encode(OPENED)) | {"text": "your code is 123456"}
    (placed,) = from_lines("x", [json.dumps(value).encode()])
    assert "text" not in placed.document
    assert placed.at == {"line": 1}


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"a": 1}', b'{"episode_id":"x","change":"y"}'])
def test_a_line_that_is_no_record_is_named_without_what_it_says(line: bytes) -> None:
    with pytest.raises(UsageError, match="line 2: no record"):
        list(from_lines("file", [b"\n", line]))


def test_unreadable_records_of_a_topic_are_passed_over() -> None:
    def at(value: bytes) -> LogRecord:
        return LogRecord("episode", "t", 1, 2, 0, None, value)

    (placed,) = from_log([at(b"{"), at(KINDS["episode"].encode(ENDED))])
    assert placed.at == {"topic": "t", "partition": 1, "offset": 2}


def test_each_line_names_the_one_before_and_can_be_read_back() -> None:
    found = chosen()
    made = lines_of(key(), found.episode_id, found.records)
    before = sha256(f"{FORMAT}\n{found.episode_id}".encode())
    for n, line in enumerate(made):
        assert b"\n" not in line
        said = parse_canonical(line)
        assert (said["n"], said["prev"]) == (n, before)
        before = sha256(line)
    assert len({parse_canonical(line)["salt"] for line in made}) == len(made)
    assert made == lines_of(key(), found.episode_id, found.records)


def test_messages_stand_by_themselves_with_their_platform_and_position() -> None:
    single = [each for each in chosen().records if each.kind == "message"]
    assert [each.said.platform for each in single] == [SHOP, "", TRIP, SHOP]
    assert [each.document["number"] for each in single] == [0, 1, 2, 3]
    assert single[2].document["sender"] == "10690000000212"
    assert single[2].document["topic"] == "sms.delivery.v1"
    headers = [each.document for each in chosen().records if each.kind == "incident"]
    assert [each["messages"] for each in headers] == [2, 2]
    assert RECIPIENT not in json.dumps([dict(each.document) for each in single])
    assert len(SAID) == 14
