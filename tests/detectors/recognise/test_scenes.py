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
    spent,
    to_keep,
    weak_rule,
)
from detectors.recognise.scripts import scripts_of
from detectors.recognise.shapes import Number, numbers


def first(body: str) -> Number:
    return numbers(body)[0]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("your code is 0000", "weak"),
        ("your code is 0000. never share it", "weak-login"),
        ("your locker code is 0000", "held"),
        ("your code is 0000 for 00% off", "held"),
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


@pytest.mark.parametrize(
    ("text", "is_spent"),
    [
        ("code 0000 has expired", True),
        ("der code 0000 gilt nicht mehr", True),
        ("код 0000 больше не действует", True),
        ("验证码0000已失效", True),
        ("code 0000 is yours. if it has expired ask again", False),
        ("code 0000 expires in 0 min", False),
    ],
)
def test_a_code_that_was_one_is_told(text: str, is_spent: bool) -> None:
    number = numbers(text)[0]
    assert spent(text, number.start, number.end) is is_spent


@pytest.mark.parametrize(
    ("text", "is_spent"),
    [
        ("验证码0000有误，请重新输入", True),
        ("認証コード000000は有効期限が切れました", True),
        ("인증번호 000000은 만료되었습니다", True),
        ("kode 0000 sudah kedaluwarsa", True),
        ("wrong code 0000", True),
        ("验证码000000，如已使用请忽略", False),
        ("ma otp 000000 het han sau 0 phut", False),
        ("code 0000, ignore it if it has been used", False),
        ("code 0000 is used to sign in", False),
        ("kode 000000 kedaluwarsa dalam 0 menit", False),
    ],
)
def test_what_was_a_code_is_told_from_what_ends_in_a_while(text: str, is_spent: bool) -> None:
    number = numbers(text)[0]
    assert spent(text, number.start, number.end) is is_spent


@pytest.mark.parametrize(
    ("text", "is_made"),
    [
        ("zaplaceno 000 kc, autorizacni kod 000000", True),
        ("消费000元,授权码000000,流水00000000", True),
        ("islem onaylandi 000,00 tl onay kodu 000000", True),
        ("000,00 tl odemeniz icin onay kodu 000000", False),
        ("消费000元,验证码000000", False),
        ("approval code 000000 approved", False),
    ],
)
def test_the_authorisation_of_a_payment_that_is_made_is_no_code(text: str, is_made: bool) -> None:
    start = text.index("000000")
    assert spent(text, start, start + 6) is is_made


def test_a_plain_way_out_stands_beside_a_code_but_not_beside_a_price() -> None:
    code, offer = "code 0000. reply stop to end", "code 0000, only $0. reply stop to end"
    assert plain_way_out(code, numbers(code)[0])
    assert not plain_way_out(offer, numbers(offer)[0])
