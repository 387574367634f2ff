"""A link beside a number or a purpose: which texts verify, and which only invite."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import Message, recognise, recognise_many
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import excerpt, look, read, verifies
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.vocabulary.owners import is_mentioned
from detectors.recognise.weigh import against

REGISTRY = Registry.load_shipped()


def otp(text: str) -> bool:
    return recognise(REGISTRY, text).otp


PRIZES = (
    (
        "nomor lumapay anda mendapatkan rp.20.000.000,- kode lumapay anda (482913) u/info klik:"
        " https://bit.ly/9x8rz7q"
    ),
    (
        "program lumapay: anda mendapat rp.20.000.000. kode lumapay anda (482913) klik:"
        " https://hl.id/9x8rz7q"
    ),
    "verif lumapay anda [482913] mendapat rp.75.000.000 info telusuri di. https://hl.id/9x8rz7q",
)
CODES = (
    "482913 is your Lumapay verification code. Not you? https://lumapay.example/z/9G5gw",
    "Achat de 149,90 EUR chez LUMA.COM, carte *2208. Code d'authentification 605733.",
    "Rs. 480 at luma.com/shop: OTP 482913. Do not share it with anybody.",
)
ADVERTS = (
    "Gram altinlarinizi Altin Hesabiniza aktaralim. Guvenle kazanin. www.luma.com.tr/?issp=f7",
    "Giris artik parmaginizla cok daha kolay. Yeni telefonlara ozel. http://luma.example/1Egq2F8",
    "Verificacion pendiente en su cuenta de Lumapay: bit.ly/luma-verifica",
    "Have a look at this for the login screen: http://forum.luma.example/showthread.php?t=151407",
    'Do you trade with what you have? "Borrow more!" Login to the Luma App now @ lm4.io/1Vk7dnh',
    "Sharing the internet connection is explained at http://luma.example/questions/5960/sharing",
    "Footwear and accessories for your look, shop online: http://m.luma.example/G7q0g5Mk",
    "Secure Your Cloud: Verify Access Today! Click here for verification: https://bit.ly/3kTXE7E",
    "A plan made for you. Get Investor: click here luma.example/XM0A9 > Fund > click on 'Invest'",
)


@pytest.mark.parametrize("text", PRIZES)
def test_a_number_beside_a_link_to_open_and_an_amount_is_no_code(text: str) -> None:
    assert not recognise(REGISTRY, text).otp


@pytest.mark.parametrize("text", CODES)
def test_a_code_keeps_a_link_to_refuse_it_a_shop_s_host_and_a_request_for_secrecy(
    text: str,
) -> None:
    assert recognise(REGISTRY, text).otp


@pytest.mark.parametrize("text", ADVERTS)
def test_a_link_whose_own_sentence_gives_no_purpose_verifies_nobody(text: str) -> None:
    assert not recognise(REGISTRY, text).otp


def test_a_batch_takes_the_texts_with_links_that_single_texts_have() -> None:
    texts = [*PRIZES, *CODES, *ADVERTS]
    batch = recognise_many(REGISTRY, [Message(text) for text in texts])
    assert list(batch) == [recognise(REGISTRY, text) for text in texts]


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
    assert is_mentioned("lure", fold(mask(text)))


@pytest.mark.parametrize(
    "text",
    [
        "Harlow: confirm your login at https://harlow.example/v/8Kq2",
        "【海湾】点击链接完成登录验证 https://hw.example/l/9Kd2 10分钟内有效",
        "Confirme su acceso: https://bahia.example/v/8Kq2",
        "Bestätigen Sie Ihre Anmeldung: https://bucht.example/v/8Kq2",
        "Подтвердите вход: https://zaliv.example/v/8Kq2",
        "Konfirmasi login Anda: https://teluk.example/v/8Kq2",
    ],
)
def test_the_same_link_without_a_lure_verifies(text: str) -> None:
    assert otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Log in at https://harlow.example/m/8Kq2 to see your bill",
        "Login now and win a weekend: https://harlow.example/l/8Kq2",
        "Please open the link https://harlow.example/7Kq2 to view your statement",
        "Renew online, continue here: https://harlow.example/c/8Kq2",
        "Your new card is on its way. Confirm the address: https://harlow.example/s/8Kq2",
        "Book by hand no more. Register now: https://harlow.example/r/8Kq2",
        "Last reminder before your payments stop: https://harlow.example/confirm/8Kq2",
        "To access the price list click on https://harlow.example/25Kq1",
        "Everything your account can do: https://harlow.example/a/8Kq2",
        "Confirm trip details: https://harlow.example/verify/8Kq2",
        "登录 https://hw.example/b/8Kq2 查看您的账单",
        "立即登录赢取手机：https://hw.example/w/8Kq2",
        "请点击 https://hw.example/d/8Kq2 确认收货地址",
        "您的账户本月有新功能：https://hw.example/n/8Kq2",
        "支付前的最后提醒：https://hw.example/p/8Kq2",
        "Inicie sesión en https://bahia.example/f/8Kq2 para ver su recibo",
        "Entra ahora y gana un viaje: https://bahia.example/g/8Kq2",
        "Nueva tarjeta disponible. Confirme la dirección de envío: https://bahia.example/d/8Kq2",
        "Último aviso antes del pago: https://bahia.example/p/8Kq2",
        "Masuk ke https://teluk.example/t/8Kq2 untuk melihat tagihan",
        "Login sekarang dan menangkan motor: https://teluk.example/m/8Kq2",
        "Konfirmasi alamat pengiriman: https://teluk.example/a/8Kq2",
        "Transfer lebih hemat lewat aplikasi: https://teluk.example/h/8Kq2",
        "Dernier rappel avant blocage des paiements : https://baie.example/p/8Kq2",
        "Confirmez l'adresse d'envoi : https://baie.example/e/8Kq2",
        "Continuez ici : https://baie.example/r/8Kq2",
        "Connectez-vous sur https://baie.example/f/8Kq2 pour voir votre relevé",
        "Ihr Kontoauszug ist da: https://bucht.example/k/8Kq2",
        "Melden Sie sich unter https://bucht.example/r/8Kq2 an und sehen Sie Ihren Kontostand",
    ],
)
def test_a_link_whose_sentence_names_no_log_in_verifies_nobody(text: str) -> None:
    assert not otp(text)


@pytest.mark.parametrize(
    "text",
    [
        "Tap to sign in to Harlow: https://harlow.example/m/8Kq2",
        "Confirm that this phone is yours: https://harlow.example/v/8Kq2",
        "Finish signing in: https://harlow.example/m/8Kq2",
        "点击链接完成登录验证：https://hw.example/l/9Kd2",
        "请点击 https://hw.example/v/9Kd2 验证手机号码",
        "Pulsa para iniciar sesión: https://bahia.example/v/8Kq2",
        "Confirma tu número aquí: https://bahia.example/v/8Kq2",
        "Klik untuk masuk ke akun Anda: https://teluk.example/v/8Kq2",
        "Konfirmasi nomor Anda: https://teluk.example/v/8Kq2",
        "Validez votre connexion : https://baie.example/v/8Kq2",
        "Confirmez votre numéro : https://baie.example/v/8Kq2",
    ],
)
def test_a_link_whose_sentence_says_what_it_verifies_is_a_code(text: str) -> None:
    assert otp(text)


def test_a_link_that_is_the_same_for_everybody_verifies_nobody() -> None:
    assert otp("Harlow: confirm your login at https://harlow.example/v/8Kq2")
    assert not otp("Harlow: confirm your login at https://harlow.example/")


@pytest.mark.parametrize(
    ("link", "so"),
    [
        ("https://harlow.example/v/8Kq2", True),
        ("https://harlow.example/auth?next=home", False),
        ("https://harlow.example/reset", False),
        ("https://hrl.example/2Pq", False),
        ("https://harlow.example", False),
        ("https://harlow2.example/", False),
        ("https://harlow.example/card", False),
        ("HARLOW.example/CARD", False),
    ],
)
def test_a_link_that_verifies_is_made_for_one_recipient(link: str, so: bool) -> None:
    text = mask(f"Confirm here: {link} please")
    assert verifies(fold(text)) is so


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
    assert not is_mentioned("lure", fold(mask(text)))


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
