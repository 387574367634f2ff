"""Numbers that belong to a person, a card, a fine or an envelope, and numbers to write to enter.

Made up, for kinds that were told wrongly. The rules alone have to be right: on texts of trusted
platforms nothing else decides.
"""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import excerpt, look, read
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.text.fold import mask

REGISTRY = Registry.load_shipped()

OF_A_SIM = """
Your new SIM is on its way. PIN 4410, PUK 77120934, both are printed inside
Código PUK de tu línea: 77120934. Anótalo antes de tirar el sobre.
O código PUK do seu chip é 77120934
Le code PUK de votre carte est 77120934
Die PIN ist 4410 und der PUK 77120934
Il codice PUK della SIM è 77120934, tre tentativi
PUK kodunuz 77120934. Kartı saklayın.
Mã PUK của sim là 77120934
Kode PUK kartu Anda: 77120934
รหัส PUK คือ 77120934
PUK-код вашей карты: 77120934
您的PUK码：77120934
PUKコード：77120934
PUK 번호 77120934 입니다
رمز PUK الخاص بشريحتك 77120934
کد PUK سیم‌کارت 77120934
קוד PUK: 77120934
आपका PUK कोड 77120934 है
Din PUK-kod är 77120934
Kod PUK: 77120934
""".strip().split("\n")

OF_A_CUSTOMER = """
The password of user 550918 was changed by your administrator
Password changed for account 550918
Cliente 550918: se cambió la contraseña en la sucursal
A senha da conta 550918 foi trocada na agência
Mot de passe modifié pour l'utilisateur 550918
Passwort für Konto 550918 wurde am Schalter geändert
Password dell'utente 550918 cambiata in filiale
550918 numaralı hesabın şifresi değiştirildi
Mật khẩu của tài khoản 550918 đã được đổi
Kata sandi akun 550918 telah diganti di kantor
Пароль пользователя 550918 изменён администратором
会员550918的密码已修改
ユーザー550918のパスワードを管理者が変更しました
계정 550918 비밀번호가 관리자에 의해 바뀌었습니다
تم تغيير كلمة السر للمستخدم 550918
رمز عبور کاربر 550918 تغییر کرد
הסיסמה של משתמש 550918 שונתה
उपयोगकर्ता 550918 का पासवर्ड बदल दिया गया है
Adgangskoden til konto 550918 blev ændret
Het wachtwoord voor account 550918 werd aangepast
Ο κωδικός του λογαριασμού 550918 άλλαξε
Пароль від акаунта 550918 змінено адміністратором
Ihr pushTAN-Gerät 550918 wurde abgemeldet
""".strip().split("\n")

AT_THE_DOOR = """
Luma Update: Blue Printed Shirt with OTP 482913 will be delivered by 9pm today
[লুমা] বইটির ডেলিভারি ওটিপি 4829
Dear customer, your repair LM20102 is done. Happy code is: 48291. Luma
""".strip().split("\n")

TO_CALL = """
Pembelian dgn kartu 0000 di Luma Mall. Utk permintaan PIN, info:14041
Anda mendapat 24 poin dari akumulasi isi ulang pulsa 125000. Info hub *700#
""".strip().split("\n")

ON_PAPER = """
Write 4410 on the back of the cheque
Anota 4410 en el sobre del giro
Escreva 4410 no verso do cheque
Notez 4410 sur le colis avant de partir
Bitte 4410 als Verwendungszweck eintragen
Scrivi 4410 sul bollettino
Zarfa 4410 yazıp şubeye bırakın
Tulis 4410 pada amplop
Напишите 4410 на конверте
请把4410写在信封上
اكتب 4410 على الظرف
4410と封筒に書いてください
""".strip().split("\n")

OF_A_GUEST_NETWORK = """
Para los huéspedes la contraseña es 44718820
Hóspedes: a senha da rede é 44718820
Misafir ağı, şifre 44718820
Пароль для гостей: 44718820
كلمة السر لشبكة الضيوف 44718820
رمز اینترنت مهمان 44718820
הסיסמה לאורחים 44718820
Hasło dla gości: 44718820
""".strip().split("\n")

TO_ENTER = """
Girmek için 4410 yaz
Devam etmek için 447129 yazın, sonra onaylayın
Daxil olmaq üçün 4410 yaz
Fill in 4410 to get into the app
Pon 441029 para entrar
Digite 4410 e entre
Mets 4410 pour entrer
Schreib 4410, um dich anzumelden
Scrivi 4410 per accedere
Gõ 4410 để đăng nhập
Điền 4410 để vào ứng dụng
ใส่ 4410 เพื่อเข้าสู่ระบบ
Ketik 4410 untuk masuk
Напиши 4410, чтобы войти
Зарегистрируйтесь с помощью 441029
填4410就能进
4410を打ち込んでログイン
들어가려면 4410 을 눌러 주세요
اكتب 4410 للدخول
برای ورود 4410 بنویسید
הקלד 4410 כדי להיכנס
लॉगिन के लिए 4410 भरकर भेजो
Kholne ke liye 4410 daalo
Słowo na dziś? Wpisz w aplikacji 4410
Do účtu se dostaneš opsáním 4410
Intră în cont cu 4410
Skriv in 4410 så öppnas appen
Tast inn 4410 for å logge på
Γράψε 4410 για σύνδεση
Напиши 4410 і заходь
Қосымшаға кіру үшін 4410 тер
""".strip().split("\n")

BESIDE_ANOTHER_SCENE = """
Your niece wants to join. Read them 4410 if you approve
Prove that the phone is yours by giving the form 4410
You missed our call. The digits that the voice would have read: 4410
رقمك السري المؤقت هو 4410
Food delivery app sign-in: your code is 4410! Enjoy dinner
Your mTAC is 441029
mTAC 441029 for the transfer of RM80 to Ali
Ihre mTAN lautet 441029. Betrag: 80,00 EUR
""".strip().split("\n")

CALLED_OR_PAID = """
Si alguien te pide un código por teléfono, cuelga y marca 017. Nunca es tu banco
ご利用ありがとうございます。承認番号 604771、金額 3,280円、加盟店 やまぶき書店
Last meter read 441029
""".strip().split("\n")

WITH_AN_ADVERT = """
Sign in with 4410. Track parcels, get 20% off today
Entra con 441029 a tu cuenta. Hoy 30% de descuento en todo
Connectez-vous avec le code 4410. Ce soir -15 % sur les colis !
Melde dich mit dem Code 4410 an. Heute 25 % Rabatt auf Pizza
Accedi con il codice 441029. Solo oggi sconto del 30%
Giriş kodun 4410. Bugün siparişlerde %30 indirim
Код для входа 441029. Сегодня скидка 25% на доставку
登录验证码4410。今天外卖满减，优惠20%
""".strip().split("\n")


@pytest.mark.parametrize(
    "text",
    [
        *OF_A_SIM,
        *OF_A_CUSTOMER,
        *AT_THE_DOOR,
        *TO_CALL,
        *ON_PAPER,
        *OF_A_GUEST_NETWORK,
        *CALLED_OR_PAID,
    ],
    ids=str,
)
def test_a_number_of_something_else_is_no_code_by_the_rules(text: str) -> None:
    rule = RULES[read(look(mask(excerpt(text)))).rule]
    assert rule.confidence < 0.5, rule


@pytest.mark.parametrize("text", [*TO_ENTER, *BESIDE_ANOTHER_SCENE, *WITH_AN_ADVERT], ids=str)
def test_a_number_to_write_to_enter_is_a_code_by_the_rules(text: str) -> None:
    reading = read(look(mask(excerpt(text))))
    assert RULES[reading.rule].confidence >= 0.5, reading
    verdict = recognise(REGISTRY, text, sender="Example")
    assert verdict.code_span is None or text[slice(*verdict.code_span)].startswith("44")


def test_a_number_to_write_to_another_number_is_an_address_still() -> None:
    for text in ("EVET yazıp 4410'a gönder", "KATIL yaz 4410'a yolla", "4410'a EVET yaz"):
        rule = RULES[read(look(mask(text))).rule]
        assert rule.confidence < 0.5, (text, rule)
