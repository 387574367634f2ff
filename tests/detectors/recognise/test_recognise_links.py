"""A link beside a number or a purpose: which texts verify, and which only invite."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import Message, recognise, recognise_many
from detectors.recognise.registry import Registry

REGISTRY = Registry.load_shipped()
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
