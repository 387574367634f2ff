"""Owners: by the table, whose a number is: of another thing, of a payment, used, an amount."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import look
from detectors.recognise.rules.shapes import numbers
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.vocabulary.owners import (
    has_price,
    is_mentioned,
    is_owned,
    is_spent,
    pattern,
    prepare,
)
from detectors.recognise.weigh import Weighed, confidence, model
from tests.detectors.recognise.corpus import files, read

REGISTRY = Registry.load_shipped()


def otp(text: str) -> bool:
    return recognise(REGISTRY, text).otp


def read_rule(text: str) -> str:
    return Weighed(look(mask(text)), 0).reading.rule


def has_owner(folded: str, start: int) -> bool:
    return is_owned(folded, start, start + 6, "other")


def test_every_row_and_pattern_compiles() -> None:
    assert len(list(prepare())) > 20


@pytest.mark.parametrize(
    ("body", "done"),
    [("with green00 you save", False), ("0000 ile giris yapin", True), ("the 0000 came", False)],
)
def test_something_is_done_with_a_code(body: str, done: bool) -> None:
    (number,) = numbers(body)
    assert is_owned(body, number.start, number.end, "done") is done


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
        "Customer care on 482913",
        "Hotline: 482913",
        "CSKH: 482913",
        "Chi tiết LH 482913",
        "Hubungi 482913",
        "Llame al 482913",
        "Ligue para 482913",
        "Appelez le 482913",
        "Kundenservice 482913",
        "Infolinia 482913",
        "Müşteri hizmetleri 482913",
        "Звоните 482913",
        "اتصل على 482913",
        "تماس: 482913",
        "חייגו 482913",
        "โทร. 482913",
        "客服热线482913",
        "고객센터 482913",
        "Happy 482913",
        "Feliz ano novo 482913",
        "Bonne année 482913",
        "Chúc mừng năm mới 482913",
        "С новым годом 482913",
        "新年快乐482913",
        "새해 482913",
        "สวัสดีปีใหม่ 482913",
        "सुखद नया वर्ष 482913",
        "PIN van de rit: 482913",
        "saldo 1,000.00MT de 482913",
        "you sent 500 KES to 482913",
        "Login ID: 482913",
        "Имя для входа, логин 482913",
        "ten dang nhap 482913",
        "PIN del viaje: 482913",
        "PIN przejazdu: 482913",
    ],
)
def test_owners_are_known_in_many_languages_also_behind_other_words(text: str) -> None:
    for lead in ("", "see one two three four "):
        folded = fold(mask(f"{lead}{text}"))
        assert has_owner(folded, folded.rindex("000000")), folded


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
    assert not has_owner(folded, folded.rindex("000000"))


def test_a_score_that_would_decide_alone_lets_an_owner_s_number_be_read() -> None:
    sure = model().code
    plain, owner = look(mask("Your sign-in code is 482913")), look(mask("Voucher code is 482913"))
    assert confidence(Weighed(plain, sure), trusted=False, person=False) == model().sure_code
    assert confidence(Weighed(owner, sure), trusted=False, person=False) < model().sure_code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("code 0000 has expired", True),
        ("der code 0000 gilt nicht mehr", True),
        ("код 0000 больше не действует", True),
        ("验证码0000已失效", True),
        ("code 0000 is yours. if it has expired ask again", False),
        ("code 0000 expires in 0 min", False),
        ("验证码0000有误，请重新输入", True),
        ("認証コード000000は有効期限が切れました", True),
        ("인증번호 000000은 만료되었습니다", True),
        ("kode 0000 sudah kedaluwarsa", True),
        ("wrong code 0000", True),
        ("验证码000000，如已使用请忽略", False),
        ("ma otp 000000 het han sau 0 phut", False),
        ("code 0000, ignore it if it has been used", False),
        ("code 0000 is used to sign in", False),
        ("code 0000 was used to sign in on a new device", True),
        ("code 0000 can be used to sign in on a new device", False),
        ("codigo 0000 fue utilizado para iniciar sesion en un dispositivo nuevo", True),
        ("codigo 0000 foi usado para entrar em um novo dispositivo", True),
        ("code 0000 a ete utilise pour vous connecter", True),
        ("code 0000 wurde soeben zur anmeldung verwendet", True),
        ("0000 kodunuz ile yeni bir cihazdan giris yapildi", True),
        ("验证码0000已于00:00使用,如非本人操作请联系客服", True),
        ("kode 000000 kedaluwarsa dalam 0 menit", False),
    ],
)
def test_what_was_a_code_is_told_from_what_ends_in_a_while(text: str, expected: bool) -> None:
    number = numbers(text)[0]
    assert is_spent(text, number.start, number.end) is expected


@pytest.mark.parametrize(
    ("text", "is_made"),
    [
        ("zaplaceno 000 kc, autorizacni kod 000000", True),
        ("消费000元,授权码000000,流水00000000", True),
        ("islem onaylandi 000,00 tl onay kodu 000000", True),
        ("000,00 tl odemeniz icin onay kodu 000000", False),
        ("消费000元,验证码000000", False),
        ("approval code 000000 approved", False),
        ("pagamento eseguito 00,00 eur, codice autorizzazione 000000", True),
        ("codice autorizzazione 000000 per pagamento di 00,00 eur", False),
        ("codigo de autorizacion 000000 para compra por $000.00", False),
        ("compra aprobada $000.00, autorizacion 000000", True),
        ("karta 0000, 00,00 zl, piekarnia luna, kod autoryzacji 000000", True),
        ("карта 0000, 000 р., пекарня, код авторизации 000000", True),
        ("carta 0000, 00,00 eur: per confermare codice autorizzazione 000000", False),
        ("kod autoryzacji 000000, karta 0000, 00,00 zl", False),
    ],
)
def test_the_authorisation_of_a_payment_that_is_made_is_no_code(text: str, is_made: bool) -> None:
    start = text.index("000000")
    assert is_spent(text, start, start + 6) is is_made


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
    assert (has_price(body), is_mentioned("percent", body)) == (amount, share)


@pytest.mark.parametrize(
    "body",
    [
        "fa+0qcx0vsu", "code de retrait", "keep it secret", "credit card", "delivered", "returned",
        "we stopped it", "sms ucretsiz", "la trabajadora", "registered with unicredit",
    ],
)  # fmt: skip
def test_a_short_word_of_leaving_stands_alone(body: str) -> None:
    assert not is_mentioned("leave", body)


def test_a_judicial_matter_is_no_bet() -> None:
    assert not is_mentioned("spam", "poder judicial: codigo 0000")
    assert is_mentioned("spam", "judi online 0000")


@pytest.mark.parametrize(
    "body",
    [
        "qc: tu choi soan 0000", "ret yaz 0000", "smsiptal", "stop 00000", "stoppub au 00000",
        "baja al 0000", "stop2end", "td退订",
    ],
)  # fmt: skip
def test_a_way_out_is_found(body: str) -> None:
    assert is_mentioned("leave", body)


def test_casinos_and_ways_to_unsubscribe_are_known() -> None:
    assert is_mentioned("spam", "注册即送彩金")
    assert is_mentioned("leave", "回复td退订")
    assert is_mentioned("leave", "sms almak istemiyorsaniz ret yazin")
    assert is_mentioned("leave", "odjava: stop na 0000")
    assert not is_mentioned("spam", "your code is 0000")


def test_a_text_is_searched_for_each_word_whose_beginning_is_in_it() -> None:
    lists = "spam", "leave", "lure", "warning", "telling", "paid"
    texts = [fold(mask(row.text)) for path in files() for row in read(path)][::5]
    texts += ["reply  stop  to\n\nopt  out", "your account\thas been  locked"]
    found = [(name, text) for text in texts for name in lists if is_mentioned(name, text)]
    assert {name for name, _ in found} == set(lists)
    assert ("lure", texts[-1]) in found
    assert found == [(name, text) for text in texts for name in lists if pattern(name).search(text)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Your one time password is 7323. Please share this OTP with the technician.", "spent"),
        ("Give this code to the driver:\n*620447*\nDo not share it with anyone else.", "spent"),
        ("Please use the OTP-145455 at the time of delivery", "spent"),
        ("Sürücünüz geldi. Yolculuk için sürücüye 7712 pinini söyleyin.", "spent"),
        ("Paketiniz bugün geliyor. Bu onay kodunu kuryeye söyleyin: 408127", "spent"),
        ("6218 is ur OTP to login to Swiggy. Pls dont share with delivery partner", "named"),
        ("Your login code is 482913. Tell no courier.", "named"),
        ("To pair with: Pixel 7\nType on it: 163168, then press Return or Enter.", "spent"),
        ("Para vincular con Mi Band, asegúrate de que se muestre esta clave: 211567", "spent"),
        ("Call Bela at (02) 8631-8000 about your login", "shapeless"),
    ],
)
def test_a_number_for_a_courier_or_a_paired_device_is_no_code(text: str, rule: str) -> None:
    verdict = recognise(REGISTRY, text)
    assert (read_rule(text), verdict.otp) == (rule, rule == "named")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "https://shop.example/a/Jz7Tt3mc8c\nShop: Sign-in attempt from MH. Tap to respond.",
            False,
        ),
        ("Shop: tap to sign in: https://shop.example/a/c/r/Jz7Tt3mc8c", True),
    ],
)
def test_a_link_that_reports_an_attempt_does_not_log_in(text: str, expected: bool) -> None:
    assert otp(text) is expected
