"""Envelopes: no byte of one is free, and a list of successors needs the old key's word."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from streams.people.evidence import pack_keys, signed_envelope as envelope, standalone
from streams.people.evidence.canonical import PackError
from tests.streams.people.evidence.altered import Signatures, respelled, swapped, with_high_s
from tests.streams.people.evidence.packs import broken, fingerprint, key


def good(data: bytes) -> bool:
    try:
        value, signatures, message = envelope.open_envelope(data, standalone.MANIFEST)
    except PackError:
        return False
    keys = standalone.keys_of(key().public.document())
    wrong = standalone.check_signatures(keys, signatures, message, pack_keys.is_good)
    return value == {"a": 1} and not wrong


MADE = envelope.sign_value(key(), standalone.MANIFEST, {"a": 1})


def test_an_envelope_opens_as_it_was_signed() -> None:
    assert good(MADE)
    assert envelope.sign_value(key(), standalone.MANIFEST, {"a": 1}) == MADE
    with pytest.raises(PackError, match="something else"):
        envelope.open_envelope(MADE, standalone.TIMESTAMP)


@given(st.integers(0, len(MADE) - 1), st.integers(1, 255))
def test_every_changed_byte_is_found(place: int, by: int) -> None:
    assert not good(broken(MADE, place, by))


def test_a_list_of_successors_is_signed_by_the_key_before() -> None:
    line = envelope.succession(key("a"), key("b").public, "2027-01-01T00:00:00Z")
    more = line + envelope.succession(key("b"), key("c").public, "2028-01-01T00:00:00Z")
    found = envelope.successors(more)
    assert [new.fingerprint for _, new in found] == [fingerprint("b"), fingerprint("c")]
    value = {"at": "", "from": key("a").public.document(), "to": key("b").public.document()}
    forged = envelope.sign_value(key("b"), standalone.SUCCESSOR, value)
    with pytest.raises(PackError, match="did not sign"):
        envelope.successors(line + forged)
    with pytest.raises(PackError):
        envelope.successors(line[:-1])


@pytest.mark.parametrize("spell", [swapped, with_high_s])
def test_a_signature_is_written_in_one_way(spell: Callable[[Signatures], Signatures]) -> None:
    assert not good(respelled(MADE, spell))
    line = envelope.succession(key("a"), key("b").public, "2027-01-01T00:00:00Z")
    with pytest.raises(PackError, match="did not sign"):
        envelope.successors(respelled(line, spell))
