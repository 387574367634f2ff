"""One rule about versions, and one error about all else, which holds nothing of the record."""

from __future__ import annotations

import msgspec
import pytest

from streams.wire.version import (
    SCHEMA_VERSION,
    TIME_MAX_MS,
    TimeMs,
    UnreadableError,
    VersionError,
    reader,
)


class Word(msgspec.Struct):
    text: str
    at_ms: TimeMs = 0


READ = reader(Word)


def test_unknown_fields_are_skipped() -> None:
    assert READ(b'{"schema_version": 1, "text": "a", "more": {"b": [1]}}') == Word("a")


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 2**62])
def test_a_higher_version_is_named_before_its_fields_are_looked_at(version: int) -> None:
    with pytest.raises(VersionError, match=str(version)):
        READ(b'{"schema_version": %d, "text": 7}' % version)


@pytest.mark.parametrize("version", [-1, 0, 1])
def test_a_lower_version_is_read(version: int) -> None:
    assert READ(b'{"schema_version": %d, "text": "a"}' % version) == Word("a")


@pytest.mark.parametrize(
    "value",
    [
        b"", b"null", b"[]", b"{}", b"\xff", b'{"text": "a"}', b'{"schema_version": "1"}',
        b'{"schema_version": 1.5, "text": "a"}', b'{"schema_version": 1, "text": "\xff"}',
        b'{"schema_version": 1%s, "text": "a"}' % (b"0" * 40),
        b'{"schema_version": 1, "text": "a", "deep": %s}' % (b"[" * 100_000),
    ],
)  # fmt: skip
def test_everything_else_is_the_one_error(value: bytes) -> None:
    with pytest.raises(UnreadableError) as found:
        READ(value)
    assert not isinstance(found.value, VersionError)


def test_an_error_tells_the_place_and_not_what_stands_there() -> None:
    with pytest.raises(UnreadableError) as found:
        READ(b'{"schema_version": 1, "text": ["secret"]}')
    assert str(found.value) == "ValidationError at `$.text`"
    assert found.value.__cause__ is None


@pytest.mark.parametrize(
    ("at_ms", "fits"), [(0, True), (TIME_MAX_MS, True), (-1, False), (TIME_MAX_MS + 1, False)]
)
def test_a_time_is_one_that_a_calendar_can_show(at_ms: int, fits: bool) -> None:
    value = b'{"schema_version": 1, "text": "a", "at_ms": %d}' % at_ms
    if fits:
        assert READ(value).at_ms == at_ms
    else:
        with pytest.raises(UnreadableError, match="at_ms"):
            READ(value)
