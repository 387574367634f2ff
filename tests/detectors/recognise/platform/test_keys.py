"""One brand has one key, whatever place of a message names it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from detectors.model.event import Trust
from detectors.recognise.decide import recognise
from detectors.recognise.platform.keys import brand_key, current_key, host_key
from tests.detectors.recognise.corpus import everywhere

REGISTRY: Final = everywhere()
BRANDS: Final = Path(__file__).parents[1] / "wordings" / "brands.jsonl"


def keys_of(wordings: list[tuple[str, str]]) -> set[str]:
    return {recognise(REGISTRY, text, sender).platform for sender, text in wordings}


@pytest.mark.parametrize(
    ("key", "wordings"),
    [
        (
            "sig:velmora",
            [
                ("10690001", "[Velmora] 482913 is your code"),
                ("Velmora", "Your code is 482913"),
                ("VELMORA", "482913 is your verification code"),
                ("AUTHMSG", "482913 is your Velmora code"),
                ("", "Your code is 482913\n@login.velmora.com #482913"),
                ("", "[Velmora.com] 482913 is your code"),
                ("Velmora OTP", "482913 is your code"),
            ],
        ),
        (
            "sig:lyftaro",
            [("10690001", "482913 is your Lyftaro code"), ("", "[Lyftaro] 482913 is your code")],
        ),
        (
            "sig:工商银行",
            [
                ("95588", "您的验证码是482913"),
                ("10690001", "【ICBC】验证码482913"),
                ("10690001", "您正在登录中国工商银行，验证码482913"),
                ("10690001", "验证码 482913\n@m.icbc.com.cn #482913"),
            ],
        ),
        (
            "sig:360借条",
            [
                ("10690001", "【360借条】验证码482913"),
                ("10690001", "您正在登录360借条账号，验证码482913，请勿泄露"),
                ("10690001", "您的360借条验证码为482913"),
            ],
        ),
        ("sig:google", [("22000", "code 482913"), ("", "G-482913"), ("", "[YouTube] code 482913")]),
    ],
)
def test_a_brand_has_one_key_in_all_its_wordings(key: str, wordings: list[tuple[str, str]]) -> None:
    assert keys_of(wordings) == {key}


@pytest.mark.parametrize(
    "sender",
    [
        "Verify",
        "INFO",
        "AUTHMSG",
        "SMS",
        "Auth-Msg",
        "OTPCODE",
        "SMSCode",
        "MyOTP",
        "Codigo",
        "２２３",
    ],
)
def test_a_sender_with_a_generic_word_is_no_brand(sender: str) -> None:
    assert recognise(REGISTRY, "Your code is 482913", sender).platform.startswith("from:")


def test_a_number_stays_a_number() -> None:
    for sender in ("10690001", "+8613900000001", "89203", "９５５８８"):
        assert recognise(REGISTRY, "Your code is 482913", sender).platform.startswith("from:")


@pytest.mark.parametrize("trusted", ["招商银行", "ICBC", "HDFCBK", "Chase"])
def test_a_trusted_name_as_sender_or_in_a_text_earns_no_trust(trusted: str) -> None:
    told = recognise(REGISTRY, "Your code is 482913", trusted)
    assert (told.platform, told.trust) == (brand_key(REGISTRY, trusted), Trust.NONE)
    named = recognise(REGISTRY, f"482913 is your {trusted} code", "10690001", category="otp")
    assert named.trust is Trust.NONE


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("velmora.com", "sig:velmora"),
        ("login.velmora.co.uk", "sig:velmora"),
        ("velmora.com.br", "sig:velmora"),
        ("velmora.web.app", "sig:velmora"),
        ("m.taobao.com", "sig:淘宝"),
        ("icloud.com", "sig:apple"),
        ("t.me", "sig:telegram"),
        ("wa.me", "sig:whatsapp"),
        ("credit-agricole.fr", "sig:creditagricole"),
        ("verify.com", "sig:verifycom"),
        ("pinterest.de", "sig:pinterest"),
        ("localhost", "sig:localhost"),
        ("co.uk", "sig:couk"),
    ],
)
def test_a_host_names_its_registrable_domain_s_brand(host: str, key: str) -> None:
    assert host_key(REGISTRY, host) == key


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("sig:ICBC", "sig:工商银行"),
        ("port:95588", "sig:工商银行"),
        ("port:工商银行", "sig:工商银行"),
        ("from:WhatsApp", "sig:whatsapp"),
        ("text:tandem", "sig:tandem"),
        ("host:m.taobao.com", "sig:淘宝"),
        ("from:authmsg", "from:authmsg"),
        ("port:106900000001", "from:106900000001"),
        ("id:4711", "id:4711"),
        ("#12", "#12"),
    ],
)
def test_a_key_as_a_person_writes_it_leads_to_the_detector_s(written: str, key: str) -> None:
    assert current_key(REGISTRY, written) == key
    assert current_key(REGISTRY, key) == key


def test_names_with_digits_behind_a_shared_sender_are_platforms_of_their_own() -> None:
    texts = "482913 is your {} code", "{}: your verification code is 482913"
    names = "Bet365", "1xBet", "Trading212", "Check24", "Zorg77", "Mossbank9"
    for text in texts:
        told = [recognise(REGISTRY, text.format(name), "AUTHMSG").platform for name in names]
        assert len({*told}) == len(names)
        assert told[:4] == ["sig:bet365", "sig:1xbet", "sig:trading212", "sig:check24"]


NUMBERED = (
    "4399", "7k7k", "360", "12306", "1688", "51job", "58同城", "7-Eleven", "3M", "1Password",
    "9GAG", "1mg", "8x8", "500px", "N26", "O2", "11st", "11번가", "29CM", "G2A", "23andMe",
    "51Talk", "1号店", "360借条", "T3出行", "17173", "163", "1xBet", "Zorg77", "3Hub", "交管12123",
)  # fmt: skip


@pytest.mark.parametrize("name", NUMBERED)
def test_a_brand_with_digits_has_one_key_wherever_a_message_names_it(name: str) -> None:
    texts = [
        "【{}】验证码482913，5分钟内有效。",
        "[{}] Verification code: 482913. Valid for 5 minutes.",
        "Your {} verification code is 482913. It expires in 10 minutes.",
        "{}: use 482913 as your one-time passcode to sign in.",
        "482913 is your {} code",
        "您正在登录{}账号，验证码482913，请勿泄露",
        "您的{}验证码为482913",
        "欢迎使用{}，验证码482913",
        "{}验证码：482913，用于登录",
    ]
    told = {text: recognise(REGISTRY, text.format(name), "10690001").platform for text in texts}
    assert told == dict.fromkeys(texts, brand_key(REGISTRY, name))


@pytest.mark.parametrize(
    "text",
    [
        "Your K2X9 code is 482913",
        "Your 7723 code is 482913. Ref 120",
        "Your 4399 code expires in 10 minutes",
        "4399: your code",
        "Your code is 482913, valid for 120 seconds, for 1688 users",
        "[4831] Your code is 482913",
        "Your 10 minute code is 482913",
        "12306 is your code, valid until 2030",
        "Your code is ABC123",
        "482913 is your code. Ref ORDER55",
        "Your Step2 code is 482913",
    ],
)
def test_a_code_or_a_reference_is_no_name_with_digits(text: str) -> None:
    assert recognise(REGISTRY, text, "AUTHMSG").platform == "from:authmsg"


@pytest.mark.parametrize(
    ("first", "second"),
    [("华为云", "华为"), ("京东金融", "京东"), ("SnappFood", "Snapp"), ("Uber Eats", "Uber")],
)
def test_a_house_s_brands_that_have_their_own_accounts_are_apart(first: str, second: str) -> None:
    assert brand_key(REGISTRY, first) != brand_key(REGISTRY, second)


def test_a_common_word_at_the_end_is_no_brand() -> None:
    text = "E-nabız şifreniz: 482913 Sağlıklı günler dileriz"
    assert recognise(REGISTRY, text, "AUTHMSG").platform == "sig:enabiz"


def labelled() -> list[dict[str, Any]]:
    return [json.loads(line) for line in BRANDS.read_text("utf-8").splitlines()]


def test_nearly_all_brands_of_the_list_have_one_key_in_three_wordings() -> None:
    """Collected before the rules of keys were written; senders and hosts are the brands' own."""
    rows = labelled()
    brands_of: dict[str, set[str]] = defaultdict(set)
    one: Counter[str] = Counter()
    for row in rows:
        keys = keys_of([(each["sender"], each["text"]) for each in row["wordings"]])
        one[row["kind"]] += len(keys) == 1
        if len(keys) > 1:
            print(row["brand"], keys)
        for key in keys:
            brands_of[key].add(row["brand"])
    of = Counter(row["kind"] for row in rows)
    print({kind: f"{one[kind]} of {of[kind]}" for kind in of})
    assert len(rows) >= 200
    assert one.total() >= 0.95 * len(rows)
    assert not {key: names for key, names in brands_of.items() if len(names) > 1}
