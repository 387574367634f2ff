"""A reader of version 1 skips what is new, so everything passes, and reads the rest as before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from detectors.leases.gateway_rule import Lease, Ruling, lease_of, rule
from detectors.leases.rails import RailParams
from detectors.model.event import Trust, platform_id
from detectors.model.records import Action, AgainWindow
from streams.gateways.enforce.redis import lease_value
from streams.wire import UnreadableError, action_key, decode_action, encode_action
from streams.wire.desired_state import DesiredState, desired_lease, take_action
from streams.wire.partitioner import partition_of
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action
from tests.golden.version_1 import reader

FOLDER = Path(__file__).parents[2] / "golden"
OLD = jsonschema.Draft202012Validator(
    json.loads((FOLDER / "version_1" / "otpguard.throttle.v1.json").read_text("utf-8"))
)
NAMED = platform_id("sig:淘宝")
FULL = replace(action(pass_ids=(NAMED,)), refused_ids=(NAMED,))
PLATFORM = replace(action(revision=2, verb="throttle_platforms"), refused_ids=(NAMED,))
END = action(revision=3, verb="throttle_platforms")
WINDOWS = replace(
    action(revision=4, verb="retry_windows"), action_id="1:sms.delivery.v1:0:1",
    again=(AgainWindow(NAMED, 5, 6, hot=False),),
)  # fmt: skip


@pytest.mark.parametrize("record", [PLATFORM, END, WINDOWS], ids=lambda each: each.verb)
def test_an_old_reader_skips_records_of_version_2(record: Action) -> None:
    value = encode_action(record)
    assert json.loads(value)["schema_version"] == 2
    assert not OLD.is_valid(json.loads(value))
    with pytest.raises(reader.NewerError):
        reader.read(value)
    assert decode_action(value) == record


def test_an_old_reader_takes_a_lease_with_refused_platforms_as_one_without() -> None:
    value, plain = encode_action(FULL), encode_action(replace(FULL, refused_ids=()))
    OLD.validate(json.loads(value))
    assert reader.read(value) == reader.read(plain)
    assert value != plain
    assert decode_action(value) == FULL


def test_old_golden_records_read_as_they_did() -> None:
    lines = (FOLDER / "otpguard.throttle.v1.jsonl").read_bytes().splitlines()
    old = [line for line in lines if json.loads(line)["schema_version"] == 1]
    for line in old:
        OLD.validate(json.loads(line))
        now, then = decode_action(line), reader.read(line)
        assert (now.action_id, now.verb, now.expires_at_ms, now.scope.pass_ids) == (
            then.action_id, then.verb, then.expires_at_ms, then.scope.pass_ids,
        )  # fmt: skip
    assert 0 < len(old) < len(lines)


def test_an_old_script_skips_a_platform_lease_in_redis_and_reads_a_full_one_as_before() -> None:
    full = lease_value(lease_of(FULL))
    assert reader.read_redis(full) == reader.read_redis(
        lease_value(lease_of(replace(FULL, refused_ids=())))
    )
    with pytest.raises(reader.NewerError):
        reader.read_redis(lease_value(lease_of(PLATFORM)))


def test_each_kind_has_a_key_of_its_own_and_all_of_a_recipient_are_in_one_partition() -> None:
    keys = [action_key(each) for each in (FULL, action(verb="release"), PLATFORM, WINDOWS)]
    assert keys == [
        RECIPIENT.encode(), RECIPIENT.encode(), b"8613900000001/platforms", b"8613900000001/windows"
    ]  # fmt: skip


@pytest.mark.parametrize("change", [{"verb": "throttle"}, {"schema_version": 1}])
def test_a_verb_of_another_version_is_not_read(change: dict[str, Any]) -> None:
    record = json.loads(encode_action(PLATFORM)) | change
    with pytest.raises(UnreadableError):
        decode_action(msgspec.json.encode(record))


def test_no_lease_names_more_platforms_than_the_contract_allows() -> None:
    most = replace(PLATFORM, refused_ids=tuple(range(1, 257)))
    assert decode_action(encode_action(most)) == most
    with pytest.raises(UnreadableError):
        decode_action(encode_action(replace(most, refused_ids=tuple(range(1, 258)))))


def test_a_worker_s_records_of_a_recipient_go_to_the_partition_of_its_number() -> None:
    from streams.engine.transport.driver import _choose_partition

    for key in map(action_key, (FULL, PLATFORM, WINDOWS)):
        assert _choose_partition(key, range(32), ()) == partition_of(RECIPIENT.encode(), 32)
    assert _choose_partition(None, range(3), [2]) == 2


def test_what_a_gateway_of_the_version_before_lets_pass_and_for_how_long() -> None:
    """The way back: full leases stay, platform leases and retry windows are lost until it ends."""
    key, window = "sig:淘宝", AgainWindow(platform_id("sig:new"), START_MS, START_MS + 9, hot=False)
    windows = replace(WINDOWS, again=(window,))
    values = [encode_action(each) for each in (FULL, PLATFORM, windows)]

    def ruled(seen: list[bytes], platform: str, at_ms: int = START_MS + 1) -> Ruling:
        book = DesiredState(RailParams())
        for value in seen:
            take_action(book, decode_action(value), START_MS)
        lease = desired_lease(book, RECIPIENT, at_ms)
        held = lease if isinstance(lease, Lease) else None
        return rule(held, otp=True, platform=platform, trust=Trust.NONE, now_ms=at_ms)

    def before(value: bytes) -> bytes:
        fields = msgspec.to_builtins(reader.read(value)).keys()
        return msgspec.json.encode(
            {k: v for k, v in json.loads(value).items() if k in {*fields, *OLD_FIELDS}}
        )

    old = []
    for value in values:
        try:
            old.append(before(value))
        except reader.NewerError:
            continue
    assert len(old) == 1
    assert (ruled(values, key), ruled(old, key)) == (Ruling.REFUSE, Ruling.KNOWN)
    assert (ruled(values, "sig:new"), ruled(old, "sig:new")) == (Ruling.AGAIN, Ruling.REFUSE)
    assert ruled(values, "sig:other") is ruled(old, "sig:other") is Ruling.REFUSE
    for seen in (values, old):
        assert ruled(seen, "sig:new", START_MS + LEASE_MS) is Ruling.NO_LEASE


OLD_FIELDS = ("reason", "evidence", "cause", "detector")  # for people; a gateway does not use them
