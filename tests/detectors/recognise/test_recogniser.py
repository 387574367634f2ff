"""Recognition of single messages: rules, languages, places, platforms, disguises."""

from __future__ import annotations

import re

import pytest

from detectors.model.event import Trust
from detectors.recognise.decide import Message, Verdict, recognise, recognise_many
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import RecogniseParams, Recogniser
from detectors.recognise.rules.reading import HEAD_CHARS, READ_CHARS, look, names_codes, read
from detectors.recognise.rules.rule_table import RULES, Rule
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.vocabulary import scripts
from detectors.recognise.vocabulary.words import Language, languages
from tests.builders.detectors.recognise.patterns import any_of
from tests.detectors.recognise.corpus import everywhere

REGISTRY = everywhere()
NOTHING_ELSE = Registry()


def verdict(text: str, **event: str) -> Verdict:
    return recognise(REGISTRY, text, **event)  # type: ignore[arg-type]


def code(text: str, **event: str) -> str | None:
    span = verdict(text, **event).code_span
    return text[slice(*span)] if span else None


# ---------------------------------------------------------------------------- the tables


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_decides_its_example_and_not_its_counter_example(rule: Rule) -> None:
    if rule.weighed:  # the model has a say in the verdict: ask what the rules read
        texts = [text for text, _, _ in (rule.example, rule.counter)]
        told = [read(look(mask(text))).rule for text in texts]
        assert (told[0], told[1] != rule.name) == (rule.name, True)
        return
    decided = [
        verdict(text, sender=sender, category=category)
        for text, sender, category in (rule.example, rule.counter)
    ]
    assert decided[0].rule == rule.name
    assert decided[1].rule != rule.name
    if rule.name not in ("rescued", "overruled"):
        assert decided[0].confidence == rule.confidence


def test_confidences_are_whole_hundredths() -> None:
    """The cache keeps them as hundredths, so that its answers are the same."""
    for rule in RULES.values():
        assert round(rule.confidence * 100) / 100 == rule.confidence


@pytest.mark.parametrize("row", languages(), ids=lambda row: row.lang)
def test_a_language_knows_its_code_from_its_look_alike(row: Language) -> None:
    assert verdict(row.row["example"], sender="Example").otp
    assert not verdict(row.row["counter"], sender="Example").otp


@pytest.mark.parametrize("row", languages(), ids=lambda row: row.lang)
def test_words_are_written_as_folded_texts_are(row: Language) -> None:
    """A word with an accent, a capital or a digit but 0 could never be found."""
    for kind, words in row.words.items():
        for word in words:
            assert fold(word) == word.replace("\\W", "\\w"), kind
            assert not re.search("[1-9]", re.sub(r"\{[\d,]+\}", "", word)), word
            any_of([word])  # compiles by itself


def test_there_are_eighteen_languages_and_every_kind_of_word_in_each() -> None:
    assert len({row.lang for row in languages()}) == 18
    kinds = {kind for row in languages() for kind in row.row}
    assert all(row.row.keys() == kinds and all(row.row.values()) for row in languages())


# ---------------------------------------------------------------------------- the code's place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("【淘宝】验证码482913，请勿泄露", "482913"),
        ("482913 is your code for Acme", "482913"),
        ("G-771804 is your Google verification code.", "771804"),
        ("Your code: 829-104. Don't share it", "829-104"),
        ("739 201 is your Instagram code.", "739 201"),
        ("Acme code 4 8 2 9 1 3, never share it", "4 8 2 9 1 3"),
        ("您的验证码为 ABX19K", "ABX19K"),
        ("验证码：４８２９１３", "４８２９１３"),
        ("رمز التحقق: ٤٨٢٩١٣", "٤٨٢٩١٣"),
        ("सत्यापन कोड ७३०४ है", "७३०४"),
        ("验证码：一二三四五六", "一二三四五六"),
        ("验\u200b证\u200b码：48\u200b2913", "48\u200b2913"),
        ("<#> Your ExampleRide code is 5583\nFA+9qCX9VSu", "5583"),
        ("Your code is 738201.\n\n@login.example.com #738201", "738201"),
        ("@login.example.com #738201", "738201"),
        ("您尾号4417的卡正在支付238.50元，验证码747201，有疑问请致电95599", "747201"),
        ("Never share your OTP. Your code is 663910. Valid for 5 minutes.", "663910"),
        ("Your Uber code is 447", "447"),  # the feed cut it
        ("您的验证码将在5分钟内失效", None),
        ("【工商银行】您正在登录，验", None),
    ],
)
def test_the_code_is_where_it_stands(text: str, expected: str | None) -> None:
    assert code(text, sender="10690001") == expected


def test_the_place_of_a_code_counts_from_the_start_of_a_long_text() -> None:
    text = "很长的公告。" * 500 + "您的验证码为482913，请勿泄露。"
    assert code(text) == "482913"


def test_a_message_that_is_no_code_has_no_place_for_one() -> None:
    assert verdict("验证码482913", category="p2p").code_span is None


# ---------------------------------------------------------------------------- what beats what


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        ({"text": "验证码482913", "category": "marketing"}, "named"),
        ({"text": "您的验证码是482913，请勿泄露", "category": "notice"}, "named"),
        ({"text": "您的验证码是482913，请勿泄露", "category": "p2p"}, "category-other"),
        ({"text": "Your code is 4829", "category": "marketing"}, "category-other"),
        ({"text": "本周上新，全场八折", "category": "marketing"}, "category-other"),
        ({"text": "Hello", "category": "otp"}, "category-otp"),
        ({"text": "验证码482913", "category": "unknown"}, "named"),
        ({"text": "验证码482913", "category": "no such"}, "named"),
        ({"text": "Hello", "template": "T1"}, "category-otp"),
        ({"text": "本周上新", "template": "T2"}, "category-other"),
        ({"text": "Hello", "template": "T2", "category": "otp"}, "category-otp"),
        ({"text": "验证码482913", "template": "T3"}, "named"),
    ],
)
def test_category_beats_template_beats_all_texts_but_sure_codes(
    event: dict[str, str], rule: str
) -> None:
    registry = Registry.load('[templates]\nT1 = "otp"\nT2 = "marketing"')
    assert recognise(registry, **event).rule == rule  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "platform"),
    [
        ({"text": "【淘宝】验证码482913", "sender": "22000", "platform": "p"}, "sig:淘宝"),
        ({"text": "验证码482913【淘宝】", "sender": "22000"}, "sig:淘宝"),
        ({"text": "[淘寶網] 验证码482913"}, "sig:淘宝"),
        ({"text": "【京东】验证码482913", "signature": "淘宝"}, "sig:淘宝"),
        ({"text": "【京东】验证码482913", "signature": "【】"}, "sig:京东"),
        ({"text": "【某某科技】验证码482913"}, "sig:某某"),
        ({"text": "【12306】验证码482913"}, "sig:铁路12306"),
        ({"text": "【１２３０６】验证码482913"}, "sig:铁路12306"),
        ({"text": "[482913] 验证码", "sender": "1069"}, "from:1069"),
        ({"text": "[Web발신] [네이버] 인증번호 482913"}, "sig:naver"),
        ({"text": "code 482913", "sender": "22000", "platform": "p"}, "sig:google"),
        ({"text": "code 482913\n@a.example #482913", "sender": "22000"}, "sig:google"),
        ({"text": "code 482913\n@a.example #482913", "platform": "p"}, "id:p"),
        ({"text": "code 482913\n@A.Example #482913", "sender": "1069"}, "sig:aexample"),
        ({"text": "code 482913\n@m.taobao.com #482913", "sender": "1069"}, "sig:淘宝"),
        ({"text": "code 482913", "sender": "+86 10690001"}, "from:10690001"),
        ({"text": "code 482913", "sender": "Ａｃｍｅ"}, "sig:acme"),
        ({"text": "code 482913"}, "from:"),
    ],
)
def test_signature_beats_port_beats_id_beats_host_beats_sender(
    event: dict[str, str], platform: str
) -> None:
    assert recognise(REGISTRY, **event).platform == platform  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["sig:淘宝", "sig:aexample", "sig:tandem"])
def test_a_key_that_was_read_in_a_text_stays_that_platform_without_it_and_earns_no_trust(
    key: str,
) -> None:
    verdict = recognise(REGISTRY, "", "AUTHMSG", "", "otp", key)
    assert (verdict.platform, verdict.trust) == (key, Trust.NONE)
    assert recognise(REGISTRY, "", "AUTHMSG", "", "otp", "from:a").platform == "id:from:a"
    older = recognise(REGISTRY, "", "AUTHMSG", "", "otp", "text:Tandem")
    assert older.platform == "sig:tandem", "a reporter of version 1"


def test_an_id_that_the_registry_knows_is_its_platform() -> None:
    registry = Registry.load('[bank]\n"工商银行" = {ids = ["acct-7"]}')
    known = recognise(registry, "code 482913", sender="10690001", platform="acct-7")
    assert (known.platform, known.trust) == ("sig:工商银行", Trust.BANK)


def test_the_least_confidence_that_counts_is_a_setting() -> None:
    event = {"text": "", "sender": "10690001"}
    assert not recognise(REGISTRY, **event, confidence_min=0.5).otp
    assert recognise(REGISTRY, **event, confidence_min=0.4).otp


@pytest.mark.parametrize("least", [0.0, -1.0, 1.01])
def test_a_setting_outside_its_range_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match="confidence_min"):
        RecogniseParams(confidence_min=least)
    with pytest.raises(ValueError, match="cache_templates"):
        RecogniseParams(cache_templates=0)


@pytest.mark.parametrize(
    ("sender", "codes"),
    [("authmsg", True), ("verify", True), ("infosms", False), ("10690001", False), ("", False)],
)
def test_a_sender_may_be_called_after_codes(sender: str, codes: bool) -> None:
    assert names_codes(sender) is codes


# ---------------------------------------------------------------------------- disguises


@pytest.mark.parametrize(
    "text",
    [
        "Your vеrificаtiоn cоde is 482913",  # Cyrillic letters inside
        "Ваш кoд пoдтверждения 482913",  # Latin letters inside
        "Ｙｏｕｒ ｏｔｐ ｉｓ ４８２９１３",
        "𝐘𝐨𝐮𝐫 𝐎𝐓𝐏 𝐢𝐬 𝟒𝟖𝟐𝟗𝟏𝟑",
        "Your v\u0336e\u0336rification code is 482913",
        "您的验\u200b证\ufeff码是482913",
        "您的验证码是④⑧②⑨①③",
        "您的驗證碼是482913",
        "YOUR OTP IS 482913",
    ],
)
def test_a_disguise_does_not_hide_a_code(text: str) -> None:
    assert verdict(text, sender="Acme").otp


@pytest.mark.parametrize("padding", [HEAD_CHARS - 40, READ_CHARS, 70_000])
def test_padding_behind_a_code_does_not_hide_it(padding: int) -> None:
    assert code("【淘宝】您的验证码是482913，请勿泄露。" + "。" * padding) == "482913"


@pytest.mark.slow
def test_a_recogniser_that_is_prepared_compiles_nothing_more() -> None:
    for _ in Recogniser(REGISTRY).prepare():
        pass
    before = {id(s): set(vars(s)) for s in scripts._SCRIPTS}
    for text in ("Your code is 482913", "验证码482913", "Ваш код 482913", "인증번호 482913"):
        recognise(REGISTRY, text)
    assert before == {id(s): set(vars(s)) for s in scripts._SCRIPTS}


KINDS = {
    # of codes
    "brand between noun and number": [("Mã Netflix: 482913", True), ("Kod Wolt: 4829", True)],
    "bare letter code": [("G-482913", True)],
    "code with an opt-out": [
        ("Poshly: your code is 482913. Reply STOP to opt out", True),
        ("华为 登录验证码 482913 拒收请回复R", True),
    ],
    "spaced code": [("TAN\n q 7 k 2 m f\nfor the signature portal login, valid 5 min", True)],
    "letters only": [("Ihr Freigabecode: TRKQWM", True), ("Verification code: QWKZRT", True)],
    "transliterated": [
        ("Vash kod podtverzhdeniya 482913. Nikomu ne soobshchayte", True),
        ("Kod pidtverdzhennya: 4829", True),
    ],
    "carriers' codes": [
        (
            "您正在办理流量月包20元10GB，次月生效，到期自动续订，短信验证码482913，请勿告知他人",
            True,
        ),
    ],
    "hidden": [
        ("验.证.码 482913", True),
        ("验正码：482913 登录用", True),
        ("YZM 482913", True),
        ("yanzhengma 482913", True),
        ("您的验证码 4*8*2*9*1*3", True),
        ("您的验证码：482913，请勿告知快递员", True),
        (f"{'条款 ' * 140}您的验证码为482913，请勿泄露", True),
    ],
    # of look-alikes
    "number to reply to": [
        ("Katilmak icin EVET yazip 4607'ye gonderin", False),
        ("TATIL yazin yurticinden 3340'a gonderin", False),
        ("Soan TC gui 199 de tu choi", False),
        ("Ketik UNREG GAYA kirim ke 92828", False),
        ("Mande VOTO 3 para 44100 e escolha", False),
        ("Txt CHOC to 84122 for a free wallpaper", False),
    ],
    "amount glued to its unit": [
        ("Dapatkan saldo 25000rb sekarang", False),
        ("50000TL kredi hazir", False),
        ("10240MB bonus, aktif 7hr", False),
    ],
    "prize": [
        ("You have won! Claim code K52 call 09061 700 221", False),
        ("Statement shows 810 unredeemed points. Identifier Code: 48217 expires 30/11", False),
        ("SELAMAT! Anda pemenang 75jt, PIN pemenang: 48K7Q21", False),
    ],
    "years and hotlines": [
        ("2019'da tasindik biz oraya", False),
        ("Fragen? Hotline 08001234 rund um die Uhr", False),
    ],
    "receipts": [("Pokupka 1240.50 RUB KARTA *4410 PYATEROCHKA 7718 Balans 10233.07", False)],
    "leet": [("Th0ng ba0: cua hang khai truong 2030", False)],
    "advertising that names codes": [
        ("登录领10元券，验证办理即享，戳 m.example/k4 回复TD退订", False)
    ],
}
"""The kinds of text that a recogniser before this one got wrong, with texts of our own."""


@pytest.mark.parametrize(("text", "otp"), [pair for pairs in KINDS.values() for pair in pairs])
def test_kinds_that_were_wrong_before_are_right(text: str, otp: bool) -> None:
    verdict = recognise(Registry.load_shipped(), text, "AUTHMSG" if otp else "Example")
    assert verdict.otp is otp, (verdict.rule, verdict.confidence)


def test_many_messages_are_recognised_as_each_is_alone() -> None:
    registry = Registry.load('[bank]\n"工商银行" = {ports = ["95588"]}')
    messages = [
        Message("【淘宝】验证码 583921，5分钟内有效"),
        Message("【淘宝】验证码 583922，5分钟内有效", sender="106980095"),
        Message("G-482913 is your code", sender="GOOGLE", category="marketing"),
        Message("", sender="95588"),
        Message("Ihr Code: ٤٨٢٩١٣", signature="Tandem", platform="p-1"),
        Message("明天下午三点老地方见 8 号", template="t-1"),
        Message("\0", category="otp"),
    ]
    messages *= 2
    alone = [recognise(registry, *each) for each in messages]
    assert list(recognise_many(registry, messages)) == alone
    assert list(recognise_many(registry, [])) == []
