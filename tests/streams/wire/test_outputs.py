"""What a worker publishes: bytes that a replay repeats, versions, headers, dead letters."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detectors.model.event import Trust
from streams import wire
from streams.wire import Reject, RejectReason, UnreadableError, VersionError

GOLDEN = Path(__file__).parents[2] / "golden"
ACTION, RENEWAL, *_ = (GOLDEN / "otpguard.throttle.v1.jsonl").read_bytes().splitlines()
EPISODE = (GOLDEN / "otpguard.episode.v1.jsonl").read_bytes().splitlines()[-1]
DECODERS: list[tuple[Callable[[bytes], Any], bytes]] = [
    (wire.decode_action, ACTION),
    (wire.decode_episode, EPISODE),
    (wire.decode_ack, (GOLDEN / "otpguard.throttle.acks.v1.jsonl").read_bytes().splitlines()[0]),
    (wire.decode_override, (GOLDEN / "otpguard.override.v1.jsonl").read_bytes().splitlines()[0]),
]


def changed(value: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(value) | fields).encode()


@pytest.mark.parametrize(("decode", "value"), DECODERS)
def test_a_newer_major_version_is_refused_and_unknown_fields_are_not(
    decode: Callable[[bytes], Any], value: bytes
) -> None:
    with pytest.raises(VersionError, match="9"):
        decode(changed(value, schema_version=9))
    assert decode(changed(value, new_field={"a": 1})) == decode(value)


@pytest.mark.parametrize(("decode", "value"), DECODERS)
@pytest.mark.parametrize("garbage", [b"", b"{}", b"[]", b"null", b'{"schema_version":1}'])
def test_what_is_no_record_at_all_is_unreadable(
    decode: Callable[[bytes], Any], value: bytes, garbage: bytes
) -> None:
    with pytest.raises(UnreadableError):
        decode(garbage)


def test_scores_have_one_form_whether_counted_or_measured() -> None:
    action = wire.decode_action(ACTION)
    counted = replace(action, reason=replace(action.reason, score=5, threshold=3))
    measured = replace(action, reason=replace(action.reason, score=5.0, threshold=3.0))
    assert wire.encode_action(counted) == wire.encode_action(measured)


def test_a_bar_that_no_score_reaches_comes_back_as_it_went() -> None:
    record = wire.decode_episode(EPISODE)
    (first, *others) = record.rungs
    endless = replace(record, rungs=(first._replace(throttle=math.inf), *others))
    sent = wire.encode_episode(endless)
    assert json.loads(sent)["rungs"][0]["throttle"] is None
    assert wire.decode_episode(sent) == endless


def test_a_renewal_says_since_when_and_all_other_records_say_everything() -> None:
    lines = (GOLDEN / "otpguard.episode.v1.jsonl").read_bytes().splitlines()
    (renewal,) = [line for line in lines if b'"since_ms"' in line]
    read = wire.decode_episode(renewal)
    assert (json.loads(renewal)["schema_version"], read.path, read.rungs) == (2, (), ())
    since = wire.decode_episode(lines[lines.index(renewal) - 1])
    assert (read.since_ms, read.episode_id) == (since.at_ms, since.episode_id)
    whole = {"path", "rungs", "scope", "known", "memory_days", "chronic"}
    for wrong in (changed(renewal, change="raised"), changed(renewal, schema_version=1)):
        with pytest.raises(UnreadableError):
            wire.decode_episode(wrong)
    for name in whole:
        less = {k: v for k, v in json.loads(EPISODE).items() if k != name}
        with pytest.raises(UnreadableError, match="everything"):
            wire.decode_episode(json.dumps(less).encode())
    assert whole.isdisjoint(json.loads(renewal))


def test_trust_and_level_travel_by_name() -> None:
    assert json.loads(ACTION)["scope"]["trust"] == ["bank", "government", "carrier", "emergency"]
    assert json.loads(ACTION)["level"] == "throttle"
    action = wire.decode_action(ACTION)
    assert action.scope.trust == (Trust.BANK, Trust.GOVERNMENT, Trust.CARRIER, Trust.EMERGENCY)
    with pytest.raises(UnreadableError, match="trust"):
        wire.decode_action(ACTION.replace(b'"bank"', b'"royal"'))


def test_an_action_of_before_counts_as_opened_by_its_first_message() -> None:
    before = {k: v for k, v in json.loads(ACTION).items() if k != "opened_ms"}
    action = wire.decode_action(json.dumps(before).encode())
    assert action.opened_ms == action.evidence.first_ms < wire.decode_action(ACTION).opened_ms


def test_headers_are_cloud_events_and_name_nobody() -> None:
    action = wire.decode_action(ACTION)
    headers = dict(wire.action_headers(action))
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": action.action_id.encode(),
        "ce_source": b"/otpguard/sms.delivery.v1/0",
        "ce_type": b"otpguard.throttle.v1",
        "ce_time": b"2026-03-02T03:34:14.264Z",
        "content-type": b"application/json",
    }
    for each in (*headers.values(), *dict(wire.episode_headers(wire.decode_episode(EPISODE)))):
        assert action.recipient not in str(each)


def test_every_change_of_an_episode_has_an_event_id_of_its_own() -> None:
    records = [
        wire.decode_episode(line)
        for line in (GOLDEN / "otpguard.episode.v1.jsonl").read_bytes().splitlines()
    ]
    assert len({dict(wire.episode_headers(record))["ce_id"] for record in records}) == len(records)


def test_a_dead_letter_keeps_the_bytes_and_says_where_they_were() -> None:
    reject = Reject(41, RejectReason.INVALID_JSON, b"8617000000001", b"\xff{", 1_772_422_380_000)
    key, value, headers = wire.dead_letter(reject, "sms.delivery.v1", 7)
    assert (key, value) == (b"7-41", b"\xff{")
    assert dict(headers) == {
        "reason": b"invalid_json",
        "topic": b"sms.delivery.v1",
        "partition": b"7",
        "offset": b"41",
        "time": b"1772422380000",
        "key": b"8617000000001",
    }


def test_a_batch_that_was_refused_is_one_letter_with_its_offsets_and_no_value() -> None:
    key, value, headers = wire.dead_letter(Reject.of_batch(40, 49, 17), "in", 7)
    assert (key, value) == (b"7-40", b"")
    told = dict(headers)
    assert (told["reason"], told["offset"], told["last_offset"]) == (
        b"batch_unreadable", b"40", b"49",
    )  # fmt: skip
    assert told["size"] == b"0"  # nothing to replay


def test_a_dead_letter_is_cut_and_never_a_tombstone() -> None:
    large = Reject(1, RejectReason.TOO_LARGE, None, b"x" * 900_000, -1)
    _, value, headers = wire.dead_letter(large, "in", 0)
    assert len(value) == 100_000
    assert "key" not in dict(headers)
    assert dict(headers)["size"] == b"900000"
    _, _, whole = wire.dead_letter(
        Reject(1, RejectReason.INVALID_JSON, None, b"x" * 100_000, -1), "", 0
    )
    assert "size" not in dict(whole)
    _, _, long = wire.dead_letter(
        Reject(1, RejectReason.INVALID_JSON, b"k" * 100_001, b"x", -1), "", 0
    )
    assert dict(long)["size"] == b"1"
    assert wire.dead_letter(Reject(2, RejectReason.NULL_VALUE, b"k", None, -1), "in", 0)[1] == b""
