"""Codes of letters alone, behind a name for codes; words that shops and doors give. Made up."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import excerpt, look, read
from detectors.recognise.text.fold import mask

REGISTRY = Registry.load_shipped()

CODES = """
Your code is TKWRVD|TKWRVD
Your Deskjet Remote code is TKWRVD|TKWRVD
Ihr Deskjet-Code lautet TKWRVD|TKWRVD
Ton code est TKWRVD|TKWRVD
Tu código es: TKWRVD|TKWRVD
Use code TKWRVD to sign in to your account|TKWRVD
您的验证码是TKWRVD，5分钟内有效|TKWRVD
验证码TKWRVD有效期5分钟|TKWRVD
【某商城】本次验证码：hjae。请勿泄露|hjae
您的驗證碼為hjae，請勿告訴他人|hjae
認証コードはTKWRVDです。|TKWRVD
인증번호 TKWRVD 입니다|TKWRVD
""".strip().split("\n")

OTHERS = """
Your code is SUMMER
Your code is TKWRVD: 20% off all shoes
Your promo code is TKWRVD
Your booking code is TKWRVD
Use code FRSHSTRT at checkout
Redeem your gift card with code TKWRVDHZ
Voucher TKWRVD expires on Friday
您的优惠码是TKWRVD，5月前有效
邀请码：hjae，注册立减
您的取件码是TKWRVD，请到3号柜
使用VISA卡支付时的验证码错误
You will be invited. Click the link to log in and enter: https
5 gün ücretsiz dinleme hakkını elde ettiniz, 12 Ocak'a kadar. Kodunuz: RTVK7H
""".strip().split("\n")


@pytest.mark.parametrize("told", CODES, ids=str)
def test_letters_that_are_no_word_are_a_code_behind_its_name(told: str) -> None:
    text, code = told.split("|")
    verdict = recognise(REGISTRY, text)
    assert verdict.otp, verdict
    assert verdict.code_span is not None
    assert text[slice(*verdict.code_span)] == code
    assert read(look(mask(excerpt(text)))).code is not None


@pytest.mark.parametrize("text", OTHERS, ids=str)
def test_what_shops_and_couriers_call_so_is_none(text: str) -> None:
    verdict = recognise(REGISTRY, text)
    assert not verdict.otp, verdict


def test_a_name_of_capitals_does_not_hide_that_a_text_breaks_off() -> None:
    assert read(look("【工商银行】您正在登录ICBC手机银行，验")).rule == "cut-off"
