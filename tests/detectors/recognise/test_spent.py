"""Numbers that were codes: what is said of them, and what only sounds so."""

from __future__ import annotations

import pytest

from detectors.recognise.shapes import numbers
from detectors.recognise.spent import is_spent


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
