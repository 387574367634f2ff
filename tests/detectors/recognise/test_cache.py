"""The store of answers: bounded, in two generations, and exact about names."""

from __future__ import annotations

import numpy as np

from detectors.model.event import Trust, name_check, platform_id
from detectors.recognise.cache import FIELD_BYTES, FROM_SENDER, MISS, OTP, AnswerCache, identify


def test_an_answer_holds_all_that_was_packed() -> None:
    cache = AnswerCache(8)
    answer = cache.pack(0.97, "sig:a", Trust.BANK, otp=True)
    assert (answer & OTP, answer & FROM_SENDER) == (OTP, 0)
    assert (answer >> 2 & 7, answer >> 8 & 0x7F) == (Trust.BANK, 97)
    assert cache.names[answer >> 16] == "sig:a"
    (identity,) = cache.identify(np.array([answer])).tolist()
    assert identity == identify("sig:a") == name_check("sig:a") << 32 | platform_id("sig:a")


def test_a_code_without_a_name_is_of_its_sender_and_others_are_of_nobody() -> None:
    cache = AnswerCache(8)
    assert cache.pack(0.6, "", Trust.NONE, otp=True) & FROM_SENDER
    assert cache.pack(0.05, "sig:a", Trust.BANK, otp=False) == 5 << 8
    assert cache.names == [""]


def test_many_names_keep_their_identities() -> None:
    cache = AnswerCache(1_000)
    names = [f"sig:{n}" for n in range(300)]
    answers = [cache.pack(0.9, name, Trust.NONE, otp=True) for name in names]
    assert cache.identify(np.array(answers)).tolist() == [identify(name) for name in names]


def test_a_used_answer_outlives_a_generation_and_an_unused_one_does_not() -> None:
    cache = AnswerCache(2)
    for key in (b"a", b"b", b"c"):
        cache.put(key, 1)
    cache.make_room()
    assert cache.get(b"a") == 1
    for key in (b"d", b"e"):
        cache.put(key, 1)
    cache.make_room()
    assert (cache.get(b"a"), cache.get(b"b")) == (1, MISS)


def test_too_many_names_clear_the_store_and_a_long_field_is_not_stored() -> None:
    cache = AnswerCache(2)
    assert cache.put((b"text", b"x" * (FIELD_BYTES + 1)), 1) == 1
    assert not cache.young
    for n in range(3):
        cache.put(b"%d" % n, cache.pack(0.9, f"sig:{n}", Trust.NONE, otp=True))
    assert cache.make_room()
    assert (cache.names, cache.young) == ([""], {})
