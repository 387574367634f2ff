"""Bytes that are the same wherever they are made, and the digests of standards' own examples."""

from __future__ import annotations

import subprocess

import pytest

from streams.people.evidence.canonical import (
    PackError,
    canonical,
    entry,
    parse_canonical,
    sm3,
)
from streams.people.evidence.standalone import sha256


def test_json_is_written_in_one_way() -> None:
    value = {"ключ": [1, 2.5, None, True], "a": "\u20ac\n", "é": {}}
    assert parse_canonical(canonical(value)) == value
    assert canonical({"b": 1, "a": 2}) == b'{"a":2,"b":1}'


@pytest.mark.parametrize("data", [b'{"b":1,"a":2}', b'{"a": 2}', b'{"a":2.0}', b"{", b"\xff"])
def test_json_that_is_written_in_another_way_is_none(data: bytes) -> None:
    with pytest.raises(PackError):
        parse_canonical(data)


@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_json_of_any_depth_is_read_or_none(start: bytes, end: bytes) -> None:
    refused = 0
    for depth in range(1, 1_100):  # the writer goes one deeper than the reader
        try:
            parse_canonical(start * depth + (b"0" if end == b"}" else b"") + end * depth)
        except PackError:
            refused += 1
    assert refused


def test_text_that_is_no_unicode_is_none() -> None:
    with pytest.raises(PackError):
        parse_canonical(b'{"\\ud800":1}')
    with pytest.raises(PackError):
        canonical({"\ud800": 1})


def test_a_number_that_not_every_reader_holds_is_refused() -> None:
    with pytest.raises(PackError):
        canonical({"n": 2**60})


def test_digests_are_those_of_openssl() -> None:
    data = b"evidence" * 100
    for name, made in (("sha256", sha256(data)), ("sm3", sm3(data))):
        done = subprocess.run(
            ["openssl", "dgst", f"-{name}", "-r"], input=data, capture_output=True, check=True
        )
        assert done.stdout.split()[0].decode() == made
    assert entry("x", data)["bytes"] == 800
