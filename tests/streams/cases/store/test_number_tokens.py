"""Tokens of numbers, for those who have the key."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from streams.cases.store.opening import tokens
from streams.common.errors import ConfigError
from streams.wire import Numbers
from tests.enforce.records import RECIPIENT

KEY = b"0123456789abcdef0123456789abcdef"


def test_a_number_has_a_token_under_each_key(tmp_path: Path) -> None:
    for name in ("k1", "k2"):
        (tmp_path / name).write_bytes(name.encode() + KEY + b"\n")
    found = tuple(tokens({name: tmp_path / name for name in ("k1", "k2")})(RECIPIENT))
    digest = hmac.new(b"k1" + KEY, RECIPIENT.encode(), hashlib.sha256).hexdigest()
    assert found[0] == f"hk1:{digest}"
    assert found[1].startswith("hk2:")
    assert Numbers("CN").canonical(found[0]) == found[0], "the wire takes it for a token"


def test_a_token_and_what_is_no_number_have_none(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(KEY)
    of = tokens({"k": tmp_path / "k"})
    for each in ("hk1:" + "a" * 64, "*", "", "1" * 16):
        assert tuple(of(each)) == ()


def test_a_key_that_is_none_is_said_so_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"short\n")
    with pytest.raises(ConfigError, match="16 bytes"):
        tokens({"k": tmp_path / "k"})
    with pytest.raises(ConfigError, match="No such file"):
        tokens({"k": tmp_path / "gone"})
