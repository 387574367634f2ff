"""Keys of a batch: each is the canonical form of its own recipient, whatever stands beside it."""

from __future__ import annotations

import pytest

from streams.gateways.feeds.record_keys import canonical_keys
from streams.wire import Numbers

CHINA = Numbers("CN")
TOKEN = "hk1:00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("+8617000000001", b"8617000000001"),
        ("17000000001", b"8617000000001"),
        (TOKEN.upper().replace("HK", "hk"), TOKEN.encode()),
    ],
)
def test_a_key_is_the_canonical_form(written: str, key: bytes) -> None:
    assert canonical_keys(CHINA, [written]) == ([key], [])


def test_what_is_neither_stays_as_written_and_is_named_by_place() -> None:
    keys, nobody = canonical_keys(CHINA, ["17000000001", "nobody", TOKEN, "\udcff", ""])
    assert keys == [b"8617000000001", b"nobody", TOKEN.encode(), b"?", b""]
    assert nobody == [1, 3, 4]


def test_no_recipients_have_no_keys() -> None:
    assert canonical_keys(CHINA, []) == ([], [])
