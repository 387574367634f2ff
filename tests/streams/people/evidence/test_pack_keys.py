"""Pack keys: two signatures that are the same each time, a file's form, successors."""

from __future__ import annotations

import pytest

from streams.people.evidence.canonical import PackError
from streams.people.evidence.pack_keys import (
    PackKey,
    PublicKeys,
    fingerprint_of,
    in_groups,
    low_s,
)
from streams.people.evidence.standalone import KINDS, P256_ORDER
from tests.streams.people.evidence.packs import key


def test_a_key_is_read_as_it_was_written_in_any_order() -> None:
    text = key().to_pem()
    half = text.index("-----BEGIN", 1)
    for written in (text, text[half:] + text[:half]):
        assert PackKey.read(written).public == key().public


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_is_the_same_each_time_and_good_for_its_message_alone(kind: str) -> None:
    made = key().signatures(b"message")
    assert made == key().signatures(b"message")
    public = key().public
    assert public.verifies(kind, made[kind], b"message")
    assert not public.verifies(kind, made[kind], b"massage")
    assert not public.verifies(kind, b"", b"message")
    assert not key("another").public.verifies(kind, made[kind], b"message")
    assert not PublicKeys(b"x", b"y").verifies(kind, made[kind], b"message")


def test_of_the_two_numbers_that_are_good_for_ecdsa_the_low_one_is_signed_and_taken() -> None:
    for n in range(20):  # each of the two comes from the library half the time
        made = key().signatures(b"%d" % n)["p256"]
        s = int.from_bytes(made[32:])
        assert s <= P256_ORDER // 2
        assert key().public.verifies("p256", made, b"%d" % n)
        high = made[:32] + (P256_ORDER - s).to_bytes(32)
        assert not key().public.verifies("p256", high, b"%d" % n)
        assert (low_s(high), low_s(made)) == (made, made)


def test_a_key_of_a_kind_that_is_not_known_verifies_nothing() -> None:
    public = key().public
    other = public.ed25519.replace(bytes.fromhex("2b6570"), bytes.fromhex("2b6565"))
    made = key().signatures(b"message")
    assert not PublicKeys(other, public.p256).verifies("ed25519", made["ed25519"], b"message")


def test_swapped_halves_verify_nothing() -> None:
    made, public = key().signatures(b"message"), key().public
    swapped = PublicKeys(public.p256, public.ed25519)
    assert not any(swapped.verifies(kind, made[kind], b"message") for kind in KINDS)


@pytest.mark.parametrize("cut", ["", "Ed", "EC", "rubbish"])
def test_a_file_that_is_no_pack_key_is_refused(cut: str) -> None:
    text = key().to_pem()
    half = text.index("-----BEGIN", 1)
    given = {"": "", "Ed": text[:half], "EC": text[half:], "rubbish": text.replace("M", "!", 3)}
    with pytest.raises(PackError):
        PackKey.read(given[cut])


def test_salts_are_the_same_each_time_and_of_one_key_and_place() -> None:
    assert key().salt("e", 1) == key().salt("e", 1)
    others = {key().salt("e", 2), key().salt("f", 1), key("another").salt("e", 1)}
    assert len({key().salt("e", 1), *others}) == 4


def test_a_fingerprint_is_taken_as_people_write_it() -> None:
    plain = key().public.fingerprint
    assert fingerprint_of(in_groups(plain).upper()) == plain
    for wrong in ("", plain[:-1], plain + "0", "g" * 64):
        with pytest.raises(PackError):
            fingerprint_of(wrong)
