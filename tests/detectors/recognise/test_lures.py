"""No sum makes a code of numbers with an owner."""

from __future__ import annotations

import pytest

from detectors.recognise.fold import fold, mask
from detectors.recognise.lures import owned
from detectors.recognise.reading import look, read
from detectors.recognise.recogniser import recognise
from detectors.recognise.registry import Registry
from detectors.recognise.weigh import confidence, model

REGISTRY = Registry.shipped()


def otp(text: str) -> bool:
    return recognise(REGISTRY, text).otp


@pytest.mark.parametrize(
    "text",
    [
        "【北岸】Your discount code is 482913",
        "Guests of Harbour House: the WiFi voucher code is 482913. Type it on the page that opens.",
        "Your voucher code: 482913. Enter it to pay less.",
        "Your invitation code is 482913. Enter it to join.",
        "您的优惠码是482913，请在登录后输入",
        "明日新股三只，申购代码：482913、300418，请留意",
        "Ihr Gutscheincode lautet 482913. Bitte beim Bezahlen eingeben",
        "Ваш код скидки 482913, введите при оплате",
        "Kode diskon Anda 482913, masukkan saat membayar",
        "Ma giam gia cua ban la 482913, nhap khi thanh toan",
    ],
)
def test_a_number_that_the_words_before_it_name_otherwise_is_no_code(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Your booking code is 482913",
        "e-voucher(s): 482913",
        "Your appointment ID: 482913",
        "Meeting ID: 734 2211 0900\nPasscode: 482913",
        "您的会员号：482913",
        "クーポンコード：482913",
        "할인 코드: 482913",
        "Tu código de descuento es 482913",
        "Seu código de indicação é 482913",
        "Votre code de parrainage est 482913",
        "Ihr Rabattcode ist 482913",
        "Il tuo codice sconto è 482913",
        "Je kortingscode is 482913",
        "Twój kod rabatowy: 482913",
        "İndirim kodunuz: 482913",
        "Kode referral Anda: 482913",
        "Mã giảm giá của bạn là 482913",
        "Номер брони: 482913",
        "كود الخصم: 482913",
        "کد تخفیف: 482913",
        "קוד הנחה: 482913",
        "छूट कोड: 482913",
        "รหัสส่วนลด: 482913",
        "PUK do Twojej karty: 482913",
    ],
)
def test_owners_are_known_in_many_languages_also_behind_other_words(text: str) -> None:
    for lead in ("", "see one two three four "):
        folded = fold(mask(f"{lead}{text}"))
        assert owned(folded, folded.rindex("000000")), folded


@pytest.mark.parametrize(
    "text",
    [
        "Your verification code is 482913",
        "Voucher bought. Your code is 482913",
        "Book a table? Enter 482913",
        "您的验证码是482913",
        "优惠多多，验证码482913",
        "482913 is your code",
    ],
)
def test_words_that_own_another_number_or_none_leave_it_alone(text: str) -> None:
    folded = fold(mask(text))
    assert not owned(folded, folded.rindex("000000"))


def test_a_score_that_would_decide_alone_lets_an_owner_s_number_be_read() -> None:
    sure = model().code
    plain, owner = look(mask("Your sign-in code is 482913")), look(mask("Voucher code is 482913"))
    assert confidence(plain, sure, read, trusted=False, person=False) == model().sure_code
    assert confidence(owner, sure, read, trusted=False, person=False) < model().sure_code
