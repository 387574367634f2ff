"""Codes beside what else a message says, and numbers beside the words of codes.

One text or two a language for each kind: a code with a way to unsubscribe, a code after a card's
last digits; and what is no code: told to a courier, of a locker, of a shop, of a flight, of a bet
"without any OTP", of those who sell text messages, the end marks of Turkish carriers. All made up.
"""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import excerpt, look, read
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.text.fold import mask
from tests.builders.detectors.recognise.recognise_neighbours import (
    AFTER_A_CARD,
    LOOK_ALIKES,
    WITH_A_WAY_OUT,
)

REGISTRY = Registry.load_shipped()


@pytest.mark.parametrize("text", WITH_A_WAY_OUT)
def test_a_code_that_is_to_be_kept_stays_one_beside_a_way_to_unsubscribe(text: str) -> None:
    verdict = recognise(REGISTRY, text, "89203", "", "")
    assert verdict.otp, verdict.rule


@pytest.mark.parametrize("text", AFTER_A_CARD)
def test_the_code_is_not_the_last_digits_of_the_card_before_it(text: str) -> None:
    verdict = recognise(REGISTRY, text, "BANK", "", "")
    assert verdict.otp, verdict.rule
    assert verdict.code_span is not None
    assert text[slice(*verdict.code_span)] == "285590"


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_words_of_codes_nearby_make_no_code_by_the_rules(text: str) -> None:
    rule = RULES[read(look(mask(excerpt(text)))).rule]
    assert rule.confidence < 0.5, rule


def test_words_of_codes_nearby_make_no_code() -> None:
    """All but one in twenty-five: codes told to couriers are labelled both ways by other hands."""
    taken = [text for text in LOOK_ALIKES if recognise(REGISTRY, text, sender="89203").otp]
    assert len(taken) <= len(LOOK_ALIKES) // 25, taken


def test_the_hash_of_an_app_holds_no_code() -> None:
    text = "<#> 07193288 is your Facebook code H29Q+Fsn4Sr"
    span = recognise(REGISTRY, text, "Facebook", "", "").code_span
    assert span is not None
    assert text[slice(*span)] == "07193288"


def test_registering_in_thai_is_no_registration_number() -> None:
    text = "เทศบาลนครริมน้ำ รหัสยืนยันการลงทะเบียนคือ ๑๙๓๕๐๘ กรุณากรอกภายใน ๑๐ นาที"
    assert recognise(REGISTRY, text, "0994820173", "", "").otp


@pytest.mark.parametrize(
    "text",
    [
        "Your access key is 4829 for your visit to Elm Court. Share the key with the receptionist.",
        "Show code 482913 to the nurse at your visit",
        "Your code for Friday's appointment is 4829, show it at the front desk",
        "Please visit Orla 48291 to verify that her wounds have healed. Thank you.",
        "Please remind Orla (48291) to bring her card, she is due this week",
        "Your patient number is 48291. It is valid for one year.",
        "您的就诊码482913，就诊时请向护士出示",
        "请在就诊时出示代码4829",
        "Muestre el código 482913 a la enfermera en su visita",
        "Por favor, visite a Elena 48291 para verificar su salud. ¡Gracias!",
        "Visite Elena 48291 para verificar sinais de febre. Obrigado!",
        "Montrez le code 482913 à l'infirmière lors de votre visite",
        "S'il vous plaît visitez Odile 48291 pour vérifier son traitement. Merci.",
        "Tunjukkan kode 482913 kepada perawat saat kunjungan",
        "Kunjungi Wulan 48291 untuk verifikasi imunisasi. Terima kasih!",
        "Minta pulsa 200.000 ke nomor baru",
        "Isi pulsa 100000",
        "Here is a unique code K8FGOPBF worth Rs.250, book at harlow.example/b",
        "Kode klaim 4829 untuk hadiah",
        "کد ۴۸۲۹۱ را به ۳۰۵۵۷ بفرست",
    ],
)
def test_a_number_of_a_visit_a_patient_a_voucher_or_airtime_is_no_code(text: str) -> None:
    assert not recognise(REGISTRY, text).otp


@pytest.mark.parametrize(
    "text",
    [
        "To confirm your visit enter 482913",
        "Your code to register is 482913. Show it to nobody, not even to our receptionist.",
        "Pulsa y escribe 482913 para entrar",
        "Your verification code is 482913. It is valid for 5 minutes.",
        "您的验证码482913，请勿告知他人",
        "Az egyszer használatos jelszava: 48291357",
        "**Bank** Az ön belépésre vonatkozó sms jelszava: k9TQ4m",
        "OTP-tunnuksesi on 482913",
        "OTP-tokenisi on 4829135",
        "Tu código para registrarte es 482913",
    ],
)
def test_a_code_keeps_such_words_beside_it(text: str) -> None:
    assert recognise(REGISTRY, text).otp


@pytest.mark.parametrize(
    "text",
    [
        "Hello,\nOur messenger is on its way to Main St. 1204.\nTrack it on https://hrl.example/t/8Qx4Ka",
        "Kaixo,\nGure mezularia Main St. 1204 helbidera bidean da.\nJarraitu https://hrl.example/t/8Qx4Ka",
        "PNR-6608900000\nTrn:07008\nDt:15-12-2025\nFrm GAYA to SC\nCls:3A\nP1-CNF",
        "Enter the PIN2 of 4 to 8 digits.",
        "Zadajte kód PUK2, ktorý má 8 čísel",
        "Введите код PIN2 (4–8 цифр).",
        "Tap to sign in and see the new offers: https://harlow.example/LoginNow",
    ],
)
def test_a_couriers_link_a_form_a_device_text_and_everybodys_link_are_no_codes(text: str) -> None:
    assert not recognise(REGISTRY, text, "Example").otp


@pytest.mark.parametrize(
    "text",
    [
        # the last digits of a hidden number, digits that a PIN has
        "Code verstuurd naar *** *** 3569",
        "Код адпраўлены на ***-**-7126",
        "Vnesite PIN2 (4 do 8 števk)",
        # bills, phones, models, lists of shares
        "Bill due soon. Pay in the app, or SMS STORE <pincode> to 121. Ignore if already paid",
        "We noticed a log-in from SM-A515F. If this was not you, change your password.",
        "新股申购提示：代码分别为：002728、300390、732100",
        "450123 ile biten kartinizin internet alisverisi kapatilmistir",
        # receipts, also where the amount stands on its own line
        "(주)한빛페이\n승인번호 697388\n668.000원 결제완료 되었습니다.",
        # what lasts, what opens a file, what carries a number to another network
        "Your new security code is 6553. You may change this code in the app at any time.",
        "Your username is: aruna7, your password is: 1480",
        "Your username for login to net banking is aruna10",
        "Your report is ready. 551295 is the password for opening the same.",
        "Your Unique Porting Code is AX875628. Do not share it with others.",
        # shops, coupons, referrals, airtime
        "Ingen kupong med kode '788160' funnet",
        "Code d'invitation : FKX4G3",
        "Kód pozvánky: G4DS8W",
        "Pakvietimo kodas: N5ADY9",
        "Κωδικός πρόσκλησης: BW6R4W",
        "Код запрошення: 482913",
        "მოწვევის კოდი: TYB3G7",
        "Kod błędu: 9871",
        "A apărut o eroare. Cod de eroare: 3188",
        "發生錯誤。錯誤碼：9972",
        "3572 nolu gonderiniz dagitima cikti, temassiz teslim almak icin 655175 kodu soyleyerek",
        "3224 takip nolu kargonuzu, 72278 doğrulama kodunu şube personelimize söyleyerek alın",
        "Không tìm thấy phiếu giảm giá với mã '903628'",
        "Mina referred you to Halo Trips. Use code 5418544 to shop and get Rs.300",
        "agen pulsa murah v5=4200 v10=8400 v20=16800 daftar ketik agen kirim ke 0812345678",
        "Dia tidak tahu, pulsa 10000 masih ada",
        # who asks for a code, and how to leave a list
        "I lost my phone, please send me your verification code! Code: 789012",
        "MEMO\nStatus: TOP SECRET\nView here >> bit.ly/3KfaF5p\n\nStop2End",
        # orders, files, and links for everybody
        "El pago está pendiente con este número de orden 874717.",
        "BHXH da nhan to khai voi so ho so la 134446.",
        "Welcome! To know how to activate the app, please visit https://harlow.example/AX/4GMAyCFI",
        # words in capitals beside a name for codes
        "Card details/OTP/CVV are SECRET. Tell nobody.",
    ],
)
def test_a_number_of_another_kind_is_no_code(text: str) -> None:
    assert not recognise(REGISTRY, text, "Example").otp


@pytest.mark.parametrize(
    "text",
    [
        "**482913** is your code",
        "SM-A515F wants to log in. Your verification code is 482913",
        "인증번호 697388 를 입력해 주세요. 5,000원 결제",
        "Your username is aruna7. Your verification code is 482913",
        "482913 er din kode til at logge ind",
        "Never send anybody your verification code 482913",
        "Your OTP is SXQWRT, keep it SECRET",
        "LO gendannelseskode: 170917. Del den ikke.",
        "Jangan berikan kode ini kepada siapa pun. Kode transaksi Dompetku: 666707.",
        "# 1034 is the onetime password (OTP) for your Harlow account",
        "Tap to reset your Instagram password: https://ig.me/7Kq2xW9vTb",
        "To confirm the transfer of 5 LE use the following code: symk9. It is highly confidential.",
        "Opret med 906136",
        "Registreer met 626-000",
        "Înregistrează-te cu 020-762",
        "Zarejestruj się z użyciem 490-477",
        "Регистрирајте се со 154-215",
        "634-525 ile kaydolun",
    ],
)
def test_a_code_beside_them_is_one(text: str) -> None:
    assert recognise(REGISTRY, text, "Example").otp
