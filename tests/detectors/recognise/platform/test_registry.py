"""The registry: what it reads and refuses, how it merges, and whom it trusts."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from detectors.model.event import Trust
from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Line, Registry, RegistryError, sender_key
from detectors.recognise.text.fold import name_key

REGISTRY = Registry.load_shipped()
CODE = "您的动态验证码：194872，请勿泄露。"


@pytest.mark.parametrize(
    ("number", "name", "trust"),
    [
        ("95588", "工商银行", Trust.BANK),
        ("95533", "建设银行", Trust.BANK),
        ("95519", "中国人寿", Trust.BANK),
        ("10086", "中国移动", Trust.CARRIER),
        ("10010", "中国联通", Trust.CARRIER),
        ("10000", "中国电信", Trust.CARRIER),
        ("10099", "中国广电", Trust.CARRIER),
        ("12345", "政务服务便民热线", Trust.GOVERNMENT),
        ("12366", "税务", Trust.GOVERNMENT),
        ("110", "110", Trust.EMERGENCY),
        ("119", "119", Trust.EMERGENCY),
        ("120", "120", Trust.EMERGENCY),
        ("122", "122", Trust.EMERGENCY),
        ("WhatsApp", "WhatsApp", Trust.NONE),
    ],
)
def test_a_number_is_its_owners(number: str, name: str, trust: Trust) -> None:
    sender = REGISTRY.sender(number)
    assert (sender.owners[0].name, REGISTRY.trust(None, sender)) == (name, trust)


@pytest.mark.parametrize(
    ("home", "number", "name", "trust"),
    [
        ("CN", "95588", "工商银行", Trust.BANK),
        ("CN", "1000012345", "中国电信", Trust.CARRIER),
        ("CN", "10001", "中国电信", Trust.CARRIER),
        ("CN", "110", "110", Trust.EMERGENCY),
        ("IN", "VM-HDFCBK-S", "HDFC Bank", Trust.BANK),
        ("RU", "900", "Sberbank", Trust.BANK),
        ("US", "24273", "Chase", Trust.BANK),
        ("US", "22000", "Google", Trust.NONE),
    ],
)
def test_a_national_number_is_trusted_in_its_own_country_alone(
    home: str, number: str, name: str, trust: Trust
) -> None:
    at_home = Registry.load_shipped(home)
    sender = at_home.sender(number)
    assert (sender.owners[0].name, at_home.trust(None, sender)) == (name, trust)
    for country in {"CN", "IN", "RU", "US", "IR", "NG", "DE"} - {home}:
        away = Registry.load_shipped(country)
        sender = away.sender(number)
        assert (sender.owners, away.trust(None, sender)) == ((), Trust.NONE), country


def test_names_and_hosts_are_known_in_every_country() -> None:
    registries = [Registry.load_shipped(country) for country in ("CN", "IN", "US", "NG")]
    assert all(each.signatures == registries[0].signatures for each in registries)
    assert all(each.hosts == registries[0].hosts for each in registries)


def test_a_foreign_number_keeps_the_digits_that_a_chinese_one_would_lose() -> None:
    """86 is a country code in China. In India 8610123456 is a subscriber's number."""
    assert Registry.load_shipped("IN").sender("8610123456").line is Line.PERSON
    assert Registry.load_shipped().sender("8610123456").line is Line.OWNED


@pytest.mark.parametrize(
    ("sender", "line"),
    [
        ("", Line.ABSENT),
        ("10690001", Line.RENTED),
        ("+86 1069 0001", Line.RENTED),
        ("95599", Line.OWNED),
        ("95000", Line.OWNED),
        ("40404", Line.OWNED),
        ("13800138000", Line.PERSON),
        ("+447700900102", Line.PERSON),
        ("Acme", Line.NAMED),
    ],
)
def test_a_sender_tells_its_kind_of_line(sender: str, line: Line) -> None:
    assert REGISTRY.sender(sender).line is line


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("+8610690001", "10690001"),
        ("008610690001", "10690001"),
        ("8613800138000", "13800138000"),
        ("+44 7700 900102", "447700900102"),
        ("00447700900102", "447700900102"),
        ("86", "86"),
        ("JD-SBIINB-T", "sbiinb"),
        ("Ｇｏｏｇｌｅ", "google"),
        ("9" * 1000, "9" * 32),
    ],
)
def test_a_sender_has_one_spelling(written: str, key: str) -> None:
    assert sender_key(written) == key


@pytest.mark.parametrize(
    ("sender", "trust"),
    [
        ("95588", Trust.BANK),  # its own number
        ("", Trust.BANK),  # the feed has no sender: the carrier has checked the signature
        ("10690000095588", Trust.BANK),  # a rented port: the same
        ("95533", Trust.NONE),  # another bank's number
        ("10086", Trust.NONE),  # a number of somebody else
        ("95000", Trust.NONE),  # an allotted number that is not this bank's
        ("13800138000", Trust.NONE),  # a person
        ("+85260000001", Trust.NONE),
        ("ICBC", Trust.NONE),  # anybody can write that
    ],
)
def test_a_banks_signature_earns_trust_only_where_the_number_does_not_say_otherwise(
    sender: str, trust: Trust
) -> None:
    verdict = recognise(REGISTRY, f"【工商银行】{CODE}", sender=sender)
    assert (verdict.otp, verdict.platform, verdict.trust) == (True, "sig:工商银行", trust)


TRADITIONAL = str.maketrans(
    "银国电联动东发华邮储恒丰众农业设广兴苏宁长财险寿阳务税资会积检监关诈医场铁卫闪云"
    "产个总线热报举网",
    "銀國電聯動東發華郵儲恆豐眾農業設廣興蘇寧長財險壽陽務稅資會積檢監關詐醫場鐵衛閃雲"
    "產個總線熱報舉網",
)
"""The letters of trusted names as Hong Kong and Taiwan write them."""


def test_trusted_names_are_trusted_in_traditional_letters_too() -> None:
    """A fifth of them were not: 郵儲銀行 was a shop."""
    registry = Registry.load_shipped()
    lost = [
        key
        for key, platform in registry.signatures.items()
        if platform.trust and registry.signature(key.translate(TRADITIONAL)) != platform
    ]
    assert not lost


@pytest.mark.parametrize(
    ("sender", "text", "owner"),
    [
        (
            "95533",
            "【京东】您正在使用建设银行龙卡支付199.00元，验证码492817。[建设银行]",
            "建设银行",
        ),
        ("95555", "[支付宝] 您正在开通快捷支付，验证码492817。【招商银行】", "招商银行"),
        ("95588", "【某某商城】验证码492817，请勿泄露。", "工商银行"),
        ("10086", "【支付宝】验证码492817，请勿泄露。", "中国移动"),
    ],
)
def test_a_bank_s_number_that_names_a_shop_is_the_bank(sender: str, text: str, owner: str) -> None:
    """It was the shop, untrusted: a lease refused the bank's own code."""
    registry = Registry.load_shipped()
    told = recognise(registry, text, sender=sender)
    assert told.otp
    assert told.trust is registry.signatures[name_key(owner)].trust is not Trust.NONE
    assert told.platform == f"sig:{name_key(owner)}"


def test_a_spoofed_signature_from_a_port_registered_to_somebody_else_earns_no_trust() -> None:
    theirs = Registry.load('[none]\n"好课网" = {ports = ["10691234*"]}')
    registry, _ = REGISTRY.merge(theirs)
    spoofed = recognise(registry, f"【工商银行】{CODE}", sender="106912345678")
    honest = recognise(registry, f"【工商银行】{CODE}", sender="10699999")
    assert (spoofed.trust, honest.trust) == (Trust.NONE, Trust.BANK)
    assert spoofed.platform == honest.platform == "sig:工商银行"


def test_a_header_without_its_indian_frame_is_not_trusted() -> None:
    assert REGISTRY.trust(None, REGISTRY.sender("HDFCBK")) is Trust.NONE


def test_names_of_one_house_may_share_a_number() -> None:
    names = {owner.name for owner in REGISTRY.sender("95511").owners}
    assert {"中国平安", "平安银行"} <= names
    for name in ("平安银行", "中国平安"):
        assert recognise(REGISTRY, f"【{name}】{CODE}", sender="95511").trust is Trust.BANK


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("【支付宝】", "支付宝"),
        ("Ａｌｉｐａｙ", "支付宝"),
        ("[ 支付寶 ]", "支付宝"),
        ("支付宝APP", "支付宝"),
        ("腾讯科技有限公司", "腾讯"),
        ("滴滴出行", "滴滴"),
        ("中國工商銀行", "工商银行"),
        ("淘\u200b宝", "淘宝"),
        ("WhatsApp", "WhatsApp"),
    ],
)
def test_a_signature_is_found_however_it_is_written(written: str, name: str) -> None:
    platform = REGISTRY.signature(written)
    assert platform is not None
    assert platform.name == name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("taobao.com", "淘宝"),
        ("login.taobao.com", "淘宝"),
        ("nottaobao.com", None),
        ("com", None),
        ("taobao.com.example", None),
    ],
)
def test_a_host_is_its_domains_owner(host: str, name: str | None) -> None:
    platform = REGISTRY.host(host)
    assert (platform and platform.name) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[bank", "Expected"),
        ("[banks]\n", "unknown section 'banks'"),
        ('[none]\n"A" = {port = ["1"]}', "unknown field 'port'"),
        ('[none]\n"A" = {ports = "1"}', "not a list of strings"),
        ('[none]\n"A" = {ports = [1]}', "not a list of strings"),
        ('[none]\n"A" = 1', "not a table"),
        ('[none]\n"--" = {}', "no letter or digit"),
        ('[none]\n"A" = {aka = ["【】"]}', "empty once normalised"),
        ('[none]\n"A" = {}\n"B" = {aka = ["ａ"]}', "'ａ' is of 'A' and of 'B'"),
        ('[lines]\n"1" = "rental"', "rental"),
        ("a = " + "[" * 50_000, "recursion"),
    ],
)
def test_a_registry_that_cannot_be_used_says_why(text: str, why: str) -> None:
    with pytest.raises(RegistryError, match=why):
        Registry.load(text)


def test_the_operators_file_wins_and_every_conflict_is_told() -> None:
    ours = Registry.load(
        '[bank]\n"A" = {aka = ["Alpha"], ports = ["1065"]}\n[lines]\n"106" = "rented"'
    )
    theirs = Registry.load(
        '[none]\n"A" = {ports = ["1065", "1066"]}\n[templates]\nT1 = "otp"\n'
        '[lines]\n"106" = "owned"'
    )
    merged, conflicts = ours.merge(theirs)
    assert merged.sender("1065").owners[0].trust is Trust.NONE
    assert merged.sender("1066").owners[0].name == "A"
    assert merged.sender("1067").line is Line.OWNED
    assert merged.templates == {"T1": "otp"}
    assert conflicts == [
        "signature 'a': 'A' (bank) becomes 'A' (none)",
        "port '1065': 'A' (bank) becomes 'A' (none)",
        "line '106': 'rented' becomes 'owned'",
    ]


def test_merging_the_same_file_twice_is_no_conflict() -> None:
    merged, conflicts = REGISTRY.merge(Registry.load_shipped())
    assert conflicts == []
    assert merged == REGISTRY


def test_the_longest_registered_port_wins() -> None:
    registry = Registry.load(
        '[none]\n"A" = {ports = ["1065*"]}\n"B" = {ports = ["106512*"]}\n'
        '"C" = {ports = ["106512345"]}'
    )
    owners = [registry.sender(port).owners[0].name for port in ("10651", "10651299", "106512345")]
    assert owners == ["A", "B", "C"]
    assert registry.sender("106").owners == ()


NUMBERS = st.tuples(
    st.sampled_from(["", "+", "86", "+86", "0086", "00"]),
    st.sampled_from(["", "1", "106", "10086", "12110", "95588", "955", "138", "7"]),
    st.text("0123456789", max_size=12),
).map("".join)


@given(NUMBERS, NUMBERS)
def test_long_numbers_with_one_head_are_alike(first: str, second: str) -> None:
    """Compared by what is kept for a head: the kind of the first number that had it."""
    heads: dict[str, tuple[object, ...]] = {}
    for number in (first, second, first[:-1] + "0", second[:-1] + "7"):
        sender = REGISTRY.sender(number)
        if head := REGISTRY.head(number):
            assert heads.setdefault(head, (sender.line, sender.owners)) == sender[:2]


def test_numbers_of_persons_have_heads() -> None:
    assert {REGISTRY.head(f"{prefix}13800138000") for prefix in ("", "86", "+86")} == {"13800"}
    assert REGISTRY.head("+13800138000") == "+1380"  # of another country


def test_shipped_names_are_keys_of_themselves() -> None:
    """A platform's key is persisted, so it must not change when it is normalised once more."""
    for platform in REGISTRY.signatures.values():
        assert name_key(platform.key) == platform.key


@pytest.mark.parametrize(
    "sender",
    [
        "+10691234567",  # not a Chinese service number
        "0010691234567",
        "+95588",  # Myanmar's code, not 工商银行
        "0095588",
        "+10086123",
        "+110",
        "+12366",
        "+24273",  # no short code has a plus
        "95588\u200b",
        "955\u200b88",
        "９５５８８",
        "٩٥٥٨٨",
        "①①⓪",
        "ＶＭ-ＨＤＦＣＢＫ-Ｓ",
    ],
)
def test_what_only_looks_like_a_number_of_the_registry_has_no_owner_and_rents_no_line(
    sender: str,
) -> None:
    found = REGISTRY.sender(sender)
    assert (found.owners, found.line in (Line.PERSON, Line.NAMED)) == ((), True)
    assert recognise(REGISTRY, CODE, sender=sender).trust is Trust.NONE
    assert recognise(REGISTRY, f"【工商银行】{CODE}", sender=sender).trust is Trust.NONE


@pytest.mark.parametrize("sender", ["00", "000", "+", " ", "\t", "\u200b", "\u3000", "-", "\u2060"])
def test_a_blank_sender_is_not_an_absent_one(sender: str) -> None:
    assert REGISTRY.sender(sender).line is not Line.ABSENT
    assert recognise(REGISTRY, f"【工商银行】{CODE}", sender=sender).trust is Trust.NONE
    assert recognise(REGISTRY, f"【工商银行】{CODE}", sender="").trust is Trust.BANK


@pytest.mark.parametrize(
    "sender",
    ["+12025550123", "+966501234567", "+962790123456", "+959250123456", "0012025550123",
     "00959250123456", "+101202555012", "+4001234567"],
)  # fmt: skip
def test_a_person_of_another_country_is_a_person(sender: str) -> None:
    found = REGISTRY.sender(sender)
    assert (found.line, found.international) == (Line.PERSON, True)
    assert recognise(REGISTRY, "", sender=sender).rule == "sender-person"


@pytest.mark.parametrize(
    ("sender", "line", "trust"),
    [
        ("+8695588", Line.OWNED, Trust.BANK),
        ("008695588", Line.OWNED, Trust.BANK),
        ("+86 95588", Line.OWNED, Trust.BANK),
        ("8695588", Line.OWNED, Trust.BANK),
        ("+8610086", Line.OWNED, Trust.CARRIER),
        ("+86 10086123", Line.OWNED, Trust.CARRIER),
        ("0086 1069-0001", Line.RENTED, Trust.NONE),
        ("+864008001234", Line.OWNED, Trust.NONE),
        ("+8613800138000", Line.PERSON, Trust.NONE),
        ("+86", Line.PERSON, Trust.NONE),
    ],
)
def test_a_country_of_the_registry_may_stand_before_its_own_numbers(
    sender: str, line: Line, trust: Trust
) -> None:
    found = REGISTRY.sender(sender)
    assert (found.line, REGISTRY.trust(None, found)) == (line, trust)


def test_a_number_of_another_country_is_registered_with_its_plus() -> None:
    theirs = (
        '[bank]\n"A" = {ports = ["+447700900102", "0044 7700 95*"]}\n"B" = {ports = ["12345678"]}'
    )
    ours, _ = REGISTRY.merge(Registry.load(theirs))
    owners = {
        sender: [owner.name for owner in ours.sender(sender).owners]
        for sender in ("+447700900102", "00447700900102", "447700900102", "+44770095", "+1234567")
    }
    assert owners == {
        "+447700900102": ["A"],
        "00447700900102": ["A"],
        "447700900102": [],
        "+44770095": ["A"],
        "+1234567": [],
    }


def test_a_country_says_whose_forms_ports_and_lines_are() -> None:
    saudi = Registry.load(
        'country = "966"\n[bank]\n"A" = {ports = ["8001"]}\n[lines]\n"70" = "owned"'
    )
    both, _ = REGISTRY.merge(saudi)
    assert [owner.name for owner in both.sender("+9668001").owners] == ["A"]
    assert both.sender("+966701234567").line is Line.OWNED
    assert both.sender("+966501234567").line is Line.PERSON
    assert both.sender("+8695588").owners
    for code in ('"0"', "86", '"+86"', '"8612"'):
        with pytest.raises(RegistryError, match="country"):
            Registry.load(f"country = {code}")
