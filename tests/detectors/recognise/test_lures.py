"""No sum makes a code of numbers with an owner, links that lure, addresses, line breaks."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.fold import fold, mask
from detectors.recognise.lures import has_owner, is_lure, verifies
from detectors.recognise.reading import excerpt, look, read
from detectors.recognise.registry import Registry
from detectors.recognise.weigh import Weighed, against, confidence, model

REGISTRY = Registry.load_shipped()


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
    "text",
    [
        "Harlow Bank: we have blocked your card. Confirm that it is you: harlow.example.com/v/8Kq2",
        "Harlow Bank: your account has been locked. Verify your identity: https://hb.example/v/8Kq2",
        "Dora is at her webcam, confirm you are over 18 to sign in: http://dora.example.com/k9Lm2",
        "Kinoflix: renew your membership to stay signed in: https://kinoflix.example.com/v/3n4Qx",
        "【海湾银行】您的账户已被冻结，请点击 https://hw.example/v/8Kq2 验证身份",
        "【海湾银行】您的账号登录异常，点击链接验证 https://hw.example/l/9Kd2 完成登录",
        "【海湾视频】会员到期，请点击 hw.example/m/8Kq2 登录确认续费",
        "Su cuenta fue bloqueada. Confirme su acceso: https://bahia.example/v/8Kq2",
        "Felicidades, confirma tu cuenta para tu premio: https://bahia.example/v/8Kq2",
        "Sua conta foi bloqueada. Confirme seu acesso: https://baia.example/v/8Kq2",
        "Votre compte a été suspendu. Confirmez votre identité : https://baie.example/v/8Kq2",
        "Ihr Konto wurde gesperrt. Bestätigen Sie Ihre Anmeldung: https://bucht.example/v/8Kq2",
        "Il tuo conto è stato bloccato. Conferma l'accesso: https://baia.example/v/8Kq2",
        "Ваш аккаунт заблокирован. Подтвердите вход: https://zaliv.example/v/8Kq2",
        "Hesabınız bloke edildi. Girişi onaylayın: https://koy.example/v/8Kq2",
        "Akun Anda diblokir. Konfirmasi login Anda: https://teluk.example/v/8Kq2",
        "Tai khoan cua ban bi khoa. Xac thuc dang nhap: https://vinh.example/v/8Kq2",
        "تم تجميد حسابك. اضغط لتأكيد الدخول: https://khalij.example/v/8Kq2",
        "アカウントが制限されています。ログインして本人確認: https://wan.example/v/8Kq2",
        "계정이 정지되었습니다. 로그인하여 본인확인: https://man.example/v/8Kq2",
        "บัญชีของคุณถูกระงับ กดลิงก์เพื่อยืนยันการเข้าสู่ระบบ https://ao.example/v/8Kq2",
    ],
)
def test_a_link_of_who_wants_a_password_verifies_nobody(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hope you enjoyed shopping at Harlow! Click to view your e-invoice hrl.example/AyV2lCm",
        "Your parcel is out for delivery, follow it: https://hrl.example/x7k2",
        "You are eligible for a credit line. Click here: hrl.example/j1N0",
        "Freebonus para sa iyo, mag-login sa http://hrl.example/MpQ",
        "Baixa a nova App em https://baia.example/xanf67",
        "گردونه شانس ویژه: khalij.example/w7nh97",
        "The show has started, click to enter https://hrl.example/w7nh97",
        "Su pedido fue entregado, confirme aquí https://bahia.example/x7k2",
        "Sua encomenda está a caminho: https://baia.example/x7k2",
        "Votre colis est en cours de livraison : https://baie.example/x7k2",
        "Ihre Sendung wurde zugestellt. Foto: https://bucht.example/x7k2",
        "Il tuo pacco è in consegna. Segui: https://baia.example/x7k2",
        "Paczka jest w drodze: https://zatoka.example/x7k2",
        "Ваша посылка доставлена, фото: https://zaliv.example/x7k2",
        "Paket Anda sedang dikirim: https://teluk.example/x7k2",
        "Mời Quý khách xem chương trình: https://vinh.example/x7k2",
        "پخش زنده شروع شد، برای ورود کلیک کن https://khalij.example/w7nh97",
        "بث مباشر الآن، اضغط للدخول https://khalij.example/w7nh97",
        "お荷物をお届けしました。写真の確認 https://wan.example/x7k2",
        "배송 완료했습니다. 사진: https://man.example/x7k2",
        "พัสดุของคุณกำลังจัดส่ง https://ao.example/x7k2",
    ],
)
def test_what_is_watched_billed_or_delivered_is_no_link_that_verifies(text: str) -> None:
    assert is_lure(fold(mask(text)))


@pytest.mark.parametrize(
    "text",
    [
        "Harlow: confirm your login at https://harlow.example/v/8Kq2",
        "Harlow: confirm your login at https://harlow.example/login",
        "【海湾】点击链接完成登录验证 https://hw.example/l/9Kd2 10分钟内有效",
        "Confirme su acceso: https://bahia.example/v/8Kq2",
        "Bestätigen Sie Ihre Anmeldung: https://bucht.example/v/8Kq2",
        "Подтвердите вход: https://zaliv.example/v/8Kq2",
        "Konfirmasi login Anda: https://teluk.example/v/8Kq2",
    ],
)
def test_the_same_link_without_a_lure_verifies(text: str) -> None:
    assert otp(text)


def test_a_link_that_is_the_same_for_everybody_verifies_nobody() -> None:
    assert otp("Harlow: confirm your login at https://harlow.example/v/8Kq2")
    assert not otp("Harlow: confirm your login at https://harlow.example/")


@pytest.mark.parametrize(
    ("link", "so"),
    [
        ("https://harlow.example/v/8Kq2", True),
        ("hrl.example/v/ZkQmTb", True),
        ("https://harlow.example/auth?next=home", True),
        ("https://harlow.example/reset", True),
        ("https://harlow.example", False),
        ("https://harlow2.example/", False),
        ("https://harlow.example/card", False),
        ("HARLOW.example/CARD", False),
    ],
)
def test_a_link_that_verifies_is_made_for_one_recipient(link: str, so: bool) -> None:
    text = mask(f"Confirm here: {link} please")
    assert verifies(fold(text), text) is so


@pytest.mark.parametrize(
    "text",
    [
        "Tap to sign in: hrl.example/v/8Kq2. Not you? Ignore this.",
        "点击链接验证手机号 hrl.example/v/8Kq2，链接10分钟后失效",
        "Confirm you are joining Northbay Rewards: nb.example/v/8Kq2",
        "If this was not you, block it: hrl.example/v/8Kq2",
    ],
)
def test_what_links_that_verify_tell_lures_nobody(text: str) -> None:
    assert not is_lure(fold(mask(text)))


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("https://press.example.com/a(1)/416218/parties", True),
        ("archive.elmroad.ca/EN/page.asp?Item=41243\n", True),
        ("archive.elmroad.ca 41243", False),
        ("Sign in: https://harlow.example/v/8Kq2", False),
    ],
)
def test_an_address_alone_is_no_code(text: str, so: bool) -> None:
    looked = look(mask(excerpt(text)))
    reading = read(looked)
    assert against(looked, reading, 9_000, reading.traits) is so


@pytest.mark.parametrize(
    "text",
    [
        "Brunner Garage\n\nTyres changed\n\nRef: KVR48213\nTue 9 June\nBay 4\n\nBring the key",
        "Brunner Garage\n\nAll done!\n\nOrder ID: KVR48213\nTuesday\nBay: 4\n\nBring the key",
        "Receipt\nTill: 4\nNo: 482913\nBread\nMilk\nTotal: 12.90\nThank you",
    ],
)
def test_line_breaks_alone_make_no_code_of_another_s_number(text: str) -> None:
    assert not otp(text)


def test_lines_of_a_code_that_says_so_cost_it_nothing() -> None:
    assert otp("Telegram\n\nKod: 93315\n\nMożesz też kliknąć, aby się zalogować:\nt.me/login/93315")
