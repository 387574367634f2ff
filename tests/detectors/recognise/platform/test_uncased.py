"""Names in scripts without capitals: where they stand, and what stands there and is none."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.platform.uncased import between, find_uncased, runs
from detectors.recognise.text.fold import name_key

REGISTRY = Registry.load_shipped()


def platform(text: str) -> str:
    """The platform of a code that a sender of many passes on."""
    return recognise(REGISTRY, text, "AUTHMSG", category="otp").platform


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("आपका नीलकंठ कोड 482913 है", "नीलकंठ"),
        ("नीलकंठ ऐप में लॉगिन के लिए 482913 डालें", "नीलकंठ"),
        ("482913 आपके नीलकंठ खाते का OTP है", "नीलकंठ"),
        ("আপনার ময়ূরী ওটিপি 482913", "ময়ূরী"),
        ("ময়ূরী অ্যাপে লগইন করতে 482913 লিখুন", "ময়ূরী"),
        ("నెమలి యాప్‌లో లాగిన్ కోసం 482913", "నెమలి"),
        ("മയിൽ ആപ്പിൽ കയറാൻ 482913", "മയിൽ"),
        ("ਮੋਰਨੀ ਤੇ ਆਪਣਾ ਨੰਬਰ ਪੱਕਾ ਕਰਨ ਲਈ 482913", "ਮੋਰਨੀ"),
        ("મોરલો માં લોગિન કરવા 482913 લખો", "મોરલો"),
        ("کد ورود شما به آهوبره 482913", "آهوبره"),
        ("رمز یکبار مصرف آهوبره 482913", "آهوبره"),
        ("كود تفعيل زرافتي: 482913", "زرافتي"),
        ("لاستعادة كلمة المرور في زرافتي استخدم 482913", "زرافتي"),
        ("آهو‌بره\nکد ورود: 482913", "آهو‌بره"),
        ("صرافی آهوبره؛ برداشت 50 تتر: 482913", "صرافی آهوبره"),
        ("ئاھۇبەرە ئەپى دەلىللەش كودى: 482913", "ئاھۇبەرە"),
        ("欢迎来到杏花书场！您的注册验证码为482913", "杏花书场"),
        ("验证码482913，用于杏花书场账号注册。", "杏花书场"),
        ("忘记密码？杏花书场为您送上验证码482913", "杏花书场"),
        ("您的杏花支付动态密码：482913", "杏花支付"),
        ("杏花影院會員：驗證碼482913", "杏花影院"),
        ("電子合約確認碼482913，請核對。杏花租屋", "杏花租屋"),
        ("482913 はほたる便の認証番号です", "ほたる便"),
        ("482913 ほたる便にログインするには、この番号を入力", "ほたる便"),
        ("ほたる銀行 振込の確認 482913", "ほたる銀行"),
        ("パスワード再設定用の番号 482913 ホタルタウン", "ホタルタウン"),
        ("반딧불 앱 로그인 코드: 482913", "반딧불"),
        ("반딧불 보안센터 - 초기화 키 482913", "반딧불"),
        ("รหัสยืนยันนกยูงของคุณคือ 482913", "นกยูง"),
        ("ក្ងោក៖ លេខកូដរបស់អ្នក 482913", "ក្ងោក"),
        ("नीलकंठ कोड: 482913", "नीलकंठ"),
        ("ホタル認証コード：482913", "ホタル"),
        ("482913로 반딧불에 로그인하세요", "반딧불"),
        ("482913 를 반딧불 송금 확인 화면에 입력해 주세요", "반딧불"),
    ],
)
def test_a_name_without_a_capital_is_told_by_its_place(text: str, name: str) -> None:
    assert platform(text) == f"sig:{name_key(name)}"


@pytest.mark.parametrize(
    "text",
    [
        "आपका सत्यापन कोड 482913 है",
        "लॉगिन के लिए 482913 डालें",
        "আপনার যাচাইকরণ কোড 482913",
        "ನಿಮ್ಮ ಪರಿಶೀಲನಾ ಕೋಡ್ 482913",
        "നിങ്ങളുടെ സ്ഥിരീകരണ കോഡ് 482913",
        "رمز الدخول 482913 صالح لمدة 5 دقائق",
        "کد ورود شما 482913",
        "رمز پویا 482913",
        "שלום, הקוד שלך: 482913",
        "忘记密码？验证码482913",
        "您正在上海登录账号，验证码482913",
        "親愛的會員，驗證碼482913",
        "您的支付验证码为482913",
        "東京からのログインを確認 コード 482913",
        "鈴木様 確認コード：482913",
        "부산에서 로그인 시도, 인증번호 482913",
        "로그인 인증번호 482913",
        "รหัสยืนยัน 482913 ใช้ได้ภายใน 5 นาที",
        "सत्यापन कोड: 482913",
        "خدمة العملاء: 482913",
        "オンライン申請の番号 482913",
    ],
)
def test_words_around_a_code_are_no_name(text: str) -> None:
    assert platform(text) == "from:authmsg"


@pytest.mark.parametrize(
    "texts",
    [
        (
            "반딧불 인증번호 482913",
            "반딧불에서 보낸 인증번호 482913",
            "482913로 반딧불에 로그인하세요",
        ),
        ("ほたる便の認証コード 482913", "ほたる便にログイン 482913", "ほたる便：482913"),
        ("您的杏花书场验证码482913", "欢迎来到杏花书场！验证码482913", "杏花书场：482913"),
        ("您的杏花保险验证码482913", "欢迎使用杏花保险，验证码482913", "杏花保险：482913"),
        ("आपका नीलकंठ कोड 482913 है", "नीलकंठ: 482913", "नीलकंठ ऐप में लॉगिन 482913"),
    ],
)
def test_one_platform_s_wordings_give_one_name(texts: tuple[str, ...]) -> None:
    assert len({platform(text) for text in texts}) == 1
    assert platform(texts[0]).startswith("sig:")


def test_a_text_of_one_script_is_not_searched_for_others() -> None:
    assert find_uncased("Your code is 482913") == between("Your code is 482913") == []
    assert runs("Your code is 482913") == []
    assert between("您的验证码482913") == []


def test_many_unknown_words_in_a_row_are_no_name() -> None:
    assert between("नीलकंठ मयूर कोकिल कपोत ऐप में 482913") == []
    assert between(f"{'न' * 40} ऐप में 482913") == []
