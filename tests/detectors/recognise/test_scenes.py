"""Scenes: what a text tells of parcels, shops, prices and couriers speaks against a code."""

from __future__ import annotations

import pytest

from detectors.recognise.scenes import (
    LEAVE,
    SPAM,
    handed_over,
    of_another,
    other_scene,
    percent,
    plain_way_out,
    price,
    to_keep,
    weak_rule,
)
from detectors.recognise.scripts import scripts_of
from detectors.recognise.shapes import Number, numbers


def first(body: str) -> Number:
    return numbers(body)[0]


@pytest.mark.parametrize(
    "body",
    [
        "fa+0qcx0vsu", "code de retrait", "keep it secret", "credit card", "delivered", "returned",
        "we stopped it", "sms ucretsiz", "la trabajadora", "registered with unicredit",
    ],
)  # fmt: skip
def test_a_short_word_of_leaving_stands_alone(body: str) -> None:
    assert not LEAVE.search(body)


def test_a_judicial_matter_is_no_bet() -> None:
    assert not SPAM.search("poder judicial: codigo 0000")
    assert SPAM.search("judi online 0000")


@pytest.mark.parametrize(
    "body",
    [
        "qc: tu choi soan 0000", "ret yaz 0000", "smsiptal", "stop 00000", "stoppub au 00000",
        "baja al 0000", "stop2end", "td退订",
    ],
)  # fmt: skip
def test_a_way_out_is_found(body: str) -> None:
    assert LEAVE.search(body)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("your code is 0000", "weak"),
        ("your code is 0000. never share it", "weak-login"),
        ("your locker code is 0000", "held"),
        ("your code is 0000 for 00% off", "held"),
        ("log in with code 0000. today 00% off", "weak-login"),
        ("log in with code 0000, today 00% off", "weak-login"),
        ("with code 0000, log in, today 00% off", "held"),
        ("log in with code 0000 and save 00%", "held"),
        ("is your code 0000?", "held"),
        ("your code is a000", "held"),  # called up at a counter
    ],
)
def test_a_weak_name_is_believed_where_nothing_speaks_against_it(body: str, rule: str) -> None:
    assert weak_rule(body, first(body), scripts_of(body)) == rule


@pytest.mark.parametrize(
    ("body", "amount", "share"),
    [
        ("pay $00 now", True, False), ("000元", True, False), ("00% off", False, True),
        ("rs. 000", True, False), ("code 0000", False, False), ("00rb saja", True, False),
        ("00,00 zl", True, False), ("ksh0,000", True, False), ("000 so'm", False, False),
        ("0.000 ₸", True, False), ("০০ টাকা", False, False), ("00 টাকা", True, False),
        ("din 000000", False, False),
    ],
)  # fmt: skip
def test_amounts_and_shares_are_told(body: str, amount: bool, share: bool) -> None:
    assert (price(body), percent(body)) == (amount, share)


def test_a_sentence_that_says_whom_not_to_tell_is_no_other_scene() -> None:
    kept = "your code is 0000. do not share it, not even with your courier"
    parcel = "your code is 0000. show it to the courier"
    assert not other_scene(kept, first(kept), scripts_of(kept))
    assert other_scene(parcel, first(parcel), scripts_of(parcel))


def test_a_number_for_the_courier_is_handed_over() -> None:
    told = "tell the courier your code 0000"
    kept = "log in with code 0000, do not share"
    assert handed_over(told, first(told), scripts_of(told))
    assert not handed_over(kept, first(kept), scripts_of(kept))


def test_who_says_to_keep_it_sells_nothing() -> None:
    assert to_keep("code 0000, never share", first("code 0000"), scripts_of("code"))
    assert not to_keep("code 0000 for all", first("code 0000"), scripts_of("code"))


def test_letters_and_digits_may_be_those_of_a_flight() -> None:
    flight = "your verification code is 0kx0tt for the parcel locker"
    login = "your verification code is 0kx0tt, do not share"
    for body, other in ((flight, True), (login, False)):
        scripts = scripts_of(body)
        words = sorted(word for script in scripts for word in script.words(body))
        assert of_another(body, first(body), words, scripts) is other


def test_casinos_and_ways_to_unsubscribe_are_known() -> None:
    assert SPAM.search("注册即送彩金")
    assert LEAVE.search("回复td退订")
    assert LEAVE.search("sms almak istemiyorsaniz ret yazin")
    assert LEAVE.search("odjava: stop na 0000")
    assert not SPAM.search("your code is 0000")


def test_a_plain_way_out_stands_beside_a_code_but_not_beside_a_price() -> None:
    code, offer = "code 0000. reply stop to end", "code 0000, only $0. reply stop to end"
    assert plain_way_out(code, numbers(code)[0])
    assert not plain_way_out(offer, numbers(offer)[0])
