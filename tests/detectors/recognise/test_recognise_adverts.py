"""A code with an advert beside it is a code: what another sentence sells says nothing about it."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import Message, recognise, recognise_many
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import look, read
from detectors.recognise.text.fold import mask

REGISTRY = Registry.load_shipped()
BESIDE_ADVERTS = (
    "Your login code is 482913. Get 20% off your first order! Reply STOP to opt out",
    (
        "Your verification code is 482913. Enjoy 20% off your first order with us. Reply"
        " STOP to unsubscribe"
    ),
    (
        "Velmora: 482913 is your sign-in code. New season sale: up to 50% off"
        " everything. Text STOP to end"
    ),
    (
        "Tu código de acceso es 482913. ¡Consigue un 20% de descuento en tu primer"
        " pedido! Responde BAJA para no recibir más"
    ),
    (
        "Tu código de verificación es 482913. Aprovecha 2x1 en pizzas este fin de semana"
        " en velmora.es/promo"
    ),
    (
        "482913 es tu código de inicio de sesión. Gana un bono de 10 € con tu primera"
        " compra. Envía STOP para darte de baja"
    ),
    "Votre code de connexion est 482913. -20 % sur votre première commande ! STOP au 36111",
    (
        "Votre code de vérification est 482913. Profitez de 15 € offerts dès 50 €"
        " d'achat. Répondez STOP pour ne plus recevoir"
    ),
    "482913 est votre code de sécurité. Livraison gratuite ce week-end sur velmora.fr/offres",
    (
        "Ihr Anmeldecode lautet 482913. 20 % Rabatt auf Ihre erste Bestellung! Antworten"
        " Sie STOP zum Abmelden"
    ),
    (
        "Ihr Bestätigungscode ist 482913. Jetzt Gutschein über 10 EUR sichern:"
        " velmora.de/rabatt. Abmelden mit STOP"
    ),
    "482913 ist Ihr Sicherheitscode. Sommerschlussverkauf: bis zu 50 % sparen!",
    "Kode login Anda 482913. Dapatkan diskon 20% untuk pesanan pertama! Balas STOP untuk berhenti",
    "Kode verifikasi Anda adalah 482913. Promo gratis ongkir hari ini saja di velmora.id/promo",
    (
        "Kode OTP Anda 482913. Menangkan voucher Rp50.000, belanja sekarang! Ketik STOP"
        " untuk berhenti"
    ),
    "Ваш код для входа: 482913. Скидка 20% на первый заказ! Ответьте СТОП для отказа",
    (
        "Код подтверждения 482913. Получите 500 бонусов за первую покупку на"
        " velmora.ru/akcii. Отписка: СТОП"
    ),
    "482913 — ваш код для входа. Только сегодня распродажа до 50%! Отписаться: отправьте СТОП",
    "ログインコードは482913です。初回注文が20%オフ！配信停止はSTOPと返信",
    "認証コード：482913。今なら500円クーポンプレゼント！詳しくはvelmora.jp/cp 配信停止はこちら",
    "【维摩】您的登录验证码是482913。首单立享8折优惠！回T退订",
    "【维摩】验证码482913，5分钟内有效。新人专享满100减20，点击 velmora.cn/q 领取。拒收请回复R",
    "【维摩】482913是您的登录验证码。会员日全场五折，快来抢购！退订回T",
)
ADVERTS = (
    "You won! Login code 482913: go to claim.example within 24 h. Reply STOP to opt out",
    "Get 20% off your first order with code 482913! Reply STOP to opt out",
    "Your voucher code is 482913. Get 20% off your first order! Reply STOP to opt out",
    "Consigue un 20% con el código 482913. Responde BAJA para no recibir más",
    "【维摩】优惠码482913，首单立享8折！回T退订",
)


@pytest.mark.parametrize("text", BESIDE_ADVERTS)
def test_a_code_beside_an_advert_is_found_with_its_place(text: str) -> None:
    verdict = recognise(REGISTRY, text, sender="Velmora")
    assert verdict.otp
    assert verdict.code_span is not None
    assert text[slice(*verdict.code_span)] == "482913"


@pytest.mark.parametrize("text", ADVERTS)
def test_an_advert_with_a_code_of_its_own_is_none(text: str) -> None:
    assert not recognise(REGISTRY, text, sender="Velmora").otp


def test_a_batch_finds_the_codes_that_single_texts_have() -> None:
    texts = [*BESIDE_ADVERTS, *ADVERTS]
    batch = recognise_many(REGISTRY, [Message(text, "Velmora") for text in texts])
    assert list(batch) == [recognise(REGISTRY, text, "Velmora") for text in texts]


@pytest.mark.parametrize(
    ("text", "crowded"),
    [
        ("код code 코드 コード 4829", True),
        ("код code 코드 4829", False),
        ("4829, " * 10, True),
        ("4829, " * 9, False),
        ("code " * 23 + "4829", True),
        ("code " * 20 + "4829", False),
        ("code 4829. " * 9, True),
        ("code 4829. " * 7, False),
        ("ok. " * 53 + "4829", True),
        ("ok. " * 40 + "4829", False),
    ],
)
def test_the_rules_read_a_text_with_few_scripts_numbers_words_and_sentences(
    text: str, crowded: bool
) -> None:
    assert (read(look(mask(text))).rule == "crowded") is crowded
