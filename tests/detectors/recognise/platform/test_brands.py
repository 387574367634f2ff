"""The platform that only the running text names, where the sender names nobody."""

from __future__ import annotations

import subprocess
import sys

import pytest

from detectors.model.event import Trust
from detectors.recognise.decide import recognise
from detectors.recognise.platform.keys import brand_key, key_of_sender
from detectors.recognise.platform.registry import Registry
from detectors.recognise.text.fold import name_key
from tests.detectors.recognise.corpus import NAMES, read, rows
from tests.detectors.recognise.figures import naming

REGISTRY = Registry.load_shipped()


@pytest.mark.parametrize("sender", ["", "AUTHMSG", "VERIFY", "10690001", "89203", "+447700900102"])
@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("Your Tandem code is 482913. Do not share it.", "sig:tandem"),
        ("482913 is your Larkbank verification code", "sig:larkbank"),
        ("Kestrel: your one-time passcode is 482913", "sig:kestrel"),
        ("Enter 482913 to confirm your phone number on Crypto Owl.", "sig:cryptoowl"),
        ("Код для входа в Tandem: 482913. Никому не сообщайте", "sig:tandem"),
        ("您正在登录晴川图书馆账号，验证码482913，请勿泄露", "sig:晴川图书馆"),
        ("您的青禾阅读验证码为482913，5分钟内有效", "sig:青禾阅读"),
        ("您的晴川图书馆验证码为482913，请勿通过微信、QQ转发", "sig:晴川图书馆"),
        ("您正在登录晴川图书馆，验证码482913，客服不会通过支付宝索要", "sig:晴川图书馆"),
        ("请勿泄露给他人，微信验证码482913", "sig:微信"),
        ("您正在登录小红书账号，验证码482913，请勿泄露", "sig:小红书"),
        ("Your WeChat verification code is 482913", "sig:微信"),
        ("G-482913", "sig:google"),
        ("4829 is ur foodpanda otp", "sig:foodpanda"),
        ("Your humanID verification code is 482913", "sig:humanid"),
        ("M-PESA: 4829 ni nambari yako ya uthibitisho", "sig:mpesa"),
        ("CaixaBankNow. Codigo 482913 para confirmar compra 24,50 EUR AMAZON", "sig:caixabank"),
        ("Альфа-Банк: код 4829 для покупки на 1 240,50 р. OZON", "sig:alfabank"),
        ("G-482913 je vaš Googleov kontrolni kôd", "sig:google"),
        ("Kod za prijavu na Telegramu: 48291", "sig:telegram"),
        ("蝦皮驗證:請輸入 482913,切勿轉傳他人 驗證碼", "sig:shopee"),
        ("رمز واتساب الخاص بك: 482-913", "sig:whatsapp"),
        ("482913（微信登录验证码），请勿转发", "sig:微信"),
        ("482913（青禾阅读登录验证码），请勿转发", "sig:青禾阅读"),
        ("482913（登录验证码），请勿转发", "from"),
        ("朴朴超市 绑定新手机 482913 验证码", "sig:朴朴超市"),
        ("482913 ist dein Lumora-Authentifizierungscode", "sig:lumora"),
        ("Lumora-Sicherheitscode: 482913", "sig:lumora"),
        ("Lumora kimlik doğrulama kodunuz: 482913", "sig:lumora"),
        ("Your Crypto-Owl code is 482913", "sig:cryptoowl"),
        ("Kestrelcard: OTP 482913 to pay £45.00 at AMAZON", "sig:kestrelcard"),
        (
            "三井住友カード ワンタイムパスワード:482913 ご利用先:AMAZON 4,980円",
            "sig:三井住友カード",
        ),
        ("Sparkasse pushTAN: Freischaltung, TAN 482913", "sig:sparkasse"),
        ("Bolti kinnituskood 4829", "sig:bolt"),
        ("Woltin kirjautumiskoodi 4829", "sig:wolt"),
        ("晴川ナビへのログインコード 482913", "sig:晴川ナビ"),
        ("ధరణి పోర్టల్ లాగిన్ కోడ్ 482913", "sig:ధరణి"),
        ("Ամերիաբանկ. հաստատման կոդ 482913", "sig:ամերիաբանկ"),
        ("ჩემი ბანკი: დადასტურების კოდი 482913", "sig:ჩემიბანკი"),
        ("Use code 482913 to join the line at our shop login", "from"),
    ],
)
def test_a_text_names_its_platform_where_the_sender_names_nobody(
    sender: str, text: str, platform: str
) -> None:
    verdict = recognise(REGISTRY, text, sender)
    if platform == "from":  # an ordinary word is no name
        platform = key_of_sender(REGISTRY, REGISTRY.sender(sender))
    assert (verdict.otp, verdict.platform, verdict.trust) == (True, platform, Trust.NONE)


@pytest.mark.parametrize(
    ("event", "platform"),
    [
        ({"sender": "Folio"}, "sig:folio"),
        ({"sender": "AUTHMSG", "signature": "淘宝"}, "sig:淘宝"),
        ({"sender": "AUTHMSG", "platform": "p9"}, "id:p9"),
        ({"sender": "95588"}, "sig:工商银行"),
    ],
)
def test_who_is_named_otherwise_is_not_looked_for_in_the_text(
    event: dict[str, str], platform: str
) -> None:
    verdict = recognise(REGISTRY, "Your Tandem code is 482913", **event)  # type: ignore[arg-type]
    assert verdict.platform == platform


def test_a_text_that_names_nobody_leaves_the_sender() -> None:
    assert recognise(REGISTRY, "验证码482913", "10690001").platform == "from:10690001"
    assert recognise(REGISTRY, "Your code is 482913", "AUTHMSG").platform == "from:authmsg"


@pytest.mark.parametrize(
    "text",
    [
        "Token: 482913. Vigencia 3 min.",
        "Khoutu ea hau ke 4829",
        "رمز التحقق: 4829",
        "קוד: 4829",
        "4829 هو رمز المصادقة الخاص بك",
    ],
)
def test_what_a_language_calls_a_code_is_no_platform(text: str) -> None:
    assert not recognise(REGISTRY, text, "AUTHMSG").platform.startswith("sig:")


def test_a_listed_name_is_one_platform_in_every_spelling() -> None:
    told = {brand_key(REGISTRY, name) for name in ("Binance", "币安", "بايننس")}
    assert told == {"sig:binance"}


def test_a_bank_s_name_in_a_text_is_not_trusted() -> None:
    verdict = recognise(REGISTRY, "您正在登录招商银行账号，验证码482913", "10690001")
    assert (verdict.platform, verdict.trust) == ("sig:招商银行", Trust.NONE)


def test_a_name_with_digits_is_none() -> None:
    """The digits of a text are not remembered: one answer would be told of all numbers."""
    verdict = recognise(REGISTRY, "Your K2X9 code is 482913", "AUTHMSG")
    assert not any(letter.isdigit() for letter in verdict.platform)


@pytest.mark.slow
def test_most_platforms_named_in_labelled_texts_are_found() -> None:
    right, all_ = 0, 0
    for row in rows():
        invented = row.author.startswith("hand-hard-")  # names that nobody else bears
        if row.platform and row.platform.startswith("text:") and not invented:
            name = row.platform[len("text:") :]
            told = recognise(REGISTRY, row.text, "AUTHMSG").platform
            right += told == brand_key(REGISTRY, name)
            all_ += 1
    print(f"{right} of {all_}")
    assert all_ >= 300
    assert right / all_ >= 0.85


def test_most_invented_names_are_found_and_few_are_made_up() -> None:
    counts = naming(REGISTRY, list(read(NAMES / "invented.jsonl")))
    assert counts["right"] >= 0.92 * (counts["right"] + counts["wrong"] + counts["none"])
    assert counts["wrong"] <= 0.05 * counts["right"]
    assert counts["invented"] <= 0.05 * (counts["invented"] + counts["silent"])


@pytest.mark.parametrize(
    "text",
    [
        "Enter 482913 to go on",
        "Унесите 482913 да завршите пријаву",
        "Kirish uchun 482913 ni kiriting",
        "लॉगिन करने के लिए 482913 लिखें",
        "Verifikacija naloga: 482913",
        "Salut! Ton code est 482913. Expire dans 5 min",
        "Your access code: QWKZRT",
        "C.O.D.E 482913",
        "482913を画面に入力するとログインできます",
    ],
)
def test_a_first_word_or_a_word_for_codes_is_no_name(text: str) -> None:
    assert recognise(REGISTRY, text, "AUTHMSG").platform == "from:authmsg"


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("Olá! Aqui é o Tandem. Pra entrar, use 482913", "sig:tandem"),
        ("Tandem banka: za potvrdu unesite 482913", "sig:tandembanka"),
        ("गंगा बैंक: पुष्टि हेतु 482913 डालें", "sig:गंगाबैंक"),
        ("ameli.fr : code de sécurité 482913", "sig:ameli"),
        ("Tandem one-time code is 482913", "sig:tandem"),
        ("ことりマート会員登録：482913（10分有効）", "sig:ことりマート"),
        ("Godkänn med 482913 för att logga in. Microsoft", "sig:microsoft"),
    ],
)
def test_a_name_is_told_from_what_greets_and_what_stands_around_it(
    text: str, platform: str
) -> None:
    assert recognise(REGISTRY, text, "AUTHMSG").platform == platform


UNLISTED = ("Falkhof", "Haselmarkt", "Birkwerk", "Lindedepot")


@pytest.mark.parametrize(
    "text",
    [
        "447129 is your {} code. We will never ask for it by email, WhatsApp or phone.",
        "{}: your code is 447129. Do not forward it by WhatsApp.",
        "{}: your code is 447129. Contact us on WhatsApp",
        "447129 is your {} code. Questions? WhatsApp us any time",
        "447129 es tu código de {}. No lo envíe por WhatsApp.",
        "Ihr Code zur Anmeldung bei {} über das Portal: 447129. Gültig 5 Min.",
        "Votre code pour {} est 447129. S'il n'est pas de vous, ignorez-le",
        "Votre code {} : 447129. Il n’est valable que 5 minutes.",
        "Ihr Code {} lautet 447129, max 5 Min. gültig",
        "Twój kod {} to 447129, max 5 min",
        "Il tuo codice {} è 447129, max 5 min",
        "447129 is your {} code, max 3 tries",
        "Click the link or enter 447129 to sign in to {}",
        "Hi Tim, your {} code is 447129",
        "Seu codigo {} e 447129, sendo valido por 5 min",
        "Use code 447129 to boost your {} account",
        "Your {} code: 447129. Don't chase us",
        "Your {} code is 447129. Log in with Apple or Google also possible",
        "Mã xác minh {} của bạn là 447129",
    ],
)
def test_a_listed_name_makes_no_one_platform_of_all_that_mention_it(text: str) -> None:
    told = [recognise(REGISTRY, text.format(name), "+447700900102").platform for name in UNLISTED]
    assert told == [f"sig:{name.lower()}" for name in UNLISTED]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (UNLISTED, "447129 {}. Servicehinweis"),
        (UNLISTED, "{}: your code 447129. Thanks"),
        (UNLISTED, "447129 is your {} code. Kind regards, Customer Care"),
        (UNLISTED, "{} code 447129. Payment to Cedar Hardware, login from Leeds, UK"),
        (UNLISTED, "447129 {}. Sent by Textrelay"),
        (UNLISTED, "447129 {} PLEASE NEVER TELL THIS TO ANYBODY"),
        (UNLISTED, "{} का कोड 447129, सुरक्षा केंद्र ऐप में देखें"),
        (("नीलकंठ", "मयूरी", "कोकिला"), "आपका {} कोड 447129, सुरक्षा केंद्र ऐप में देखें"),
        (("زرافتي", "ظبيان", "حمامي"), "كود تفعيل {}: 447129 من خلال مركز الأمان"),
        (("杏花书场", "梨云驿站", "竹影食堂"), "您的{}验证码447129，请勿转发。安全中心"),
        (("ほたる便", "つばめ屋", "かわせみ堂"), "{}の認証コード 447129。 サポートセンター"),
        (("반딧불", "참나무", "물총새"), "{} 인증번호 447129, 고객센터 앱 문의"),
    ],
)
def test_a_common_phrase_makes_no_one_platform_of_names_that_nobody_lists(
    names: tuple[str, ...], text: str
) -> None:
    told = [recognise(REGISTRY, text.format(name), "AUTHMSG", category="otp") for name in names]
    assert [each.platform for each in told] == [f"sig:{name_key(name)}" for name in names]
    assert {each.trust for each in told} == {Trust.NONE}


@pytest.mark.parametrize(
    "texts",
    [
        ("Your Falkhof code is 482913", "Falkhof'a giriş 482913", "FALKHOF: 482913"),
        ("482913 is Falkhof's code", "Falkhof-Code: 482913", "code for falkhof 482913"),
        ("The Falkhof code is 482913", "Falkhof Inc.: 482913", "482913. Thanks, Falkhof"),
    ],
)
def test_one_platform_s_wordings_give_one_name(texts: tuple[str, ...]) -> None:
    told = {recognise(REGISTRY, text, "AUTHMSG", category="otp").platform for text in texts}
    assert told == {"sig:falkhof"}


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("Robin Falkhof clinic: 482913 opens the portal", "sig:robinfalkhof"),  # not Robi's
        ("ほたるオンライン：482913", "sig:ほたるオンライン"),  # not LINE's
        ("オンライン申請の番号 482913", "from:authmsg"),
    ],
)
def test_a_listed_name_inside_another_word_is_none(text: str, platform: str) -> None:
    assert recognise(REGISTRY, text, "AUTHMSG", category="otp").platform == platform


@pytest.mark.parametrize(
    "text",
    [
        "Grab your phone and enter 447129 to sign in",
        "Max. 5 Min. gültig: Ihr Code 447129",
        "Your code 447129 is valid max 5 min",
        "Votre code 447129. Il n'est valable que 5 min",
        "Ihre TAN für die Überweisung über 1.200,00 EUR auf Konto DE44 lautet 771204",
        "Ditt kod for att logga in pa tre ar 447129",
        "Hi Tim, your code is 447129",
        "Dear Max Muster, your code is 447129",
        "Your code is 447129. Do not share it on WhatsApp",
        "Your code is 447129. Never send it to anyone by SMS, Telegram or WhatsApp",
        "447129 is your code. Received via WhatsApp",
        "Mật khẩu OTP: 447129",
        "Mã của bạn là 447129",
    ],
)
def test_an_everyday_word_or_a_channel_names_nobody(text: str) -> None:
    assert recognise(REGISTRY, text, "AUTHMSG").platform == "from:authmsg"


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("Your WhatsApp code: 123-456", "sig:whatsapp"),
        ("WhatsApp code 123456", "sig:whatsapp"),
        ("123456 is your Uber code", "sig:uber"),
        ("Uber: 4471", "sig:uber"),
        ("Hinweis: Ihr Code für Uber lautet 447129", "sig:uber"),
        ("G-123456 is your Google verification code", "sig:google"),
        ("Max: your code 1234", "sig:max"),
        ("Your Max code is 1234", "sig:max"),
        ("Grab: 4471 is your code", "sig:grab"),
        ("447129 is your Nest verification code", "sig:nest"),
        ("447129 est votre code d'Amazon", "sig:amazon"),
        ("Dear customer, 4471 is your password for Net Banking. ICICI Bank", "sig:icicibank"),
        (
            "Kod autoryzacyjny: 88 31 04 do operacji nr 3 z dn. 14-03, kwota 120,00 PLN. mBank",
            "sig:mbank",
        ),
        ("Mã kích hoạt Grab của bạn: 5502", "sig:grab"),
        (
            "Telegram code: 44712. Do not give it to anyone, even if they say: we are Telegram!",
            "sig:telegram",
        ),
    ],
)
def test_a_listed_name_in_a_name_s_place_is_its_platform(text: str, platform: str) -> None:
    assert recognise(REGISTRY, text, "AUTHMSG").platform == platform


def test_what_few_texts_need_is_no_part_of_the_import() -> None:
    code = "import sys, detectors.recognise.recogniser; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "detectors.recognise.recogniser" in loaded
    assert not {f"detectors.recognise.{name}" for name in ("brands", "capitals", "uncased")} & {
        *loaded
    }
