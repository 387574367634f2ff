"""Names in brackets, and notes in brackets, which are none."""

from __future__ import annotations

import pytest

from detectors.model.event import Trust
from detectors.recognise.decide import recognise
from detectors.recognise.platform.names import load_names
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.signature import is_note, signature_span
from detectors.recognise.text.fold import fold, mask

NOTES = """
验证码 短信验证码 登录验证码 注册验证码 登录验证 身份验证 安全提醒 重要提示 温馨提示 国际短信
Web发信 登录 请勿泄露 5分钟内有效 验证码请勿告知他人 拒收请回复R 驗證碼 認證碼 認証コード 인증번호
OTP|Code|Verification_Code|Security_Code|Login|SMS|Alert
Do_not_share|expires_in_5_min|OTP_Code:_valid_5_mins
Kode_OTP|Kode_Verifikasi|Código|Código_de_verificación|Code_de_vérification|Bestätigungscode|Doğrulama_Kodu|Onay_Kodu
Код|Код_подтверждения|رمز_التحقق|Mã_xác_nhận|รหัส_OTP
"""


@pytest.mark.parametrize(
    ("folded", "name"),
    [
        ("【淘宝】验证码0000", "淘宝"),
        ("[web발신] [국민은행] 인증", "국민은행"),
        ("code 0000 【淘宝】", "淘宝"),
        ("【00000】x", "00000"),
        ("[000000] x", None),
        ("【最大00%off】x", None),
        ("【重要】x", None),
        ("a [b] c", None),
        ("【验证码】0000，请勿泄露。【淘宝】", "淘宝"),
        ("0000 是您的验证码【淘宝】【请勿泄露】", "淘宝"),
        ("[otp] 0000", None),
        ("【验证码】0000【请勿泄露】", None),
        ("【淘宝】0000【请勿泄露】", "淘宝"),
        ("校验码【0000】", None),
        ("您的短信验证码:【00000】,5分钟内有效", None),
        ("【0000】为您的登录验证码", None),
        ("【00000】验证码0000", "00000"),
        ("your login code is [k0q0]", None),
        ("[k0q0mx] is your steam code", None),
        ("[g0ab] your code: a0k0q0", "g0ab"),
    ],
)
def test_a_signature_is_a_name_in_brackets_at_an_end(folded: str, name: str | None) -> None:
    span = signature_span(folded)
    assert (folded[slice(*span)] if span else None) == name


@pytest.mark.parametrize("note", NOTES.replace("|", " ").split())
def test_what_names_a_code_or_how_to_treat_it_is_no_name(note: str) -> None:
    assert is_note(mask(fold(note.replace("_", " "))))


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("您正在登录淘宝，登录验证码为【4829】", "sig:淘宝"),
        ("校验码【4829】", "from:106900001"),
        ("認証コードは【4829】", "from:106900001"),
        ("[Web발신] 인증번호 【4829】", "from:106900001"),
        ("Your login code is [K7Q2]", "from:106900001"),
        ("Código de acesso: [AB12CD]", "from:106900001"),
    ],
)
def test_a_code_in_brackets_is_found_and_names_nobody(text: str, platform: str) -> None:
    """Each text was one more platform: who asked for five codes of one was taken for a victim."""
    found = recognise(Registry.load_shipped(), text, sender="106900001")
    assert (found.otp, found.platform) == (True, platform)
    assert found.code_span is not None


def test_no_name_that_is_known_is_a_note() -> None:
    known = Registry.load_shipped().signatures.keys() | load_names().names.keys()
    assert not [name for name in known if is_note(name)]


@pytest.mark.parametrize("note", ["验证码", "OTP", "请勿泄露", "안내"])
def test_behind_a_note_a_bank_is_a_bank_and_two_shops_are_two(note: str) -> None:
    """A flood from 60 platforms with the same note was one platform that sends again."""
    registry = Registry.load_shipped()

    def read(text: str, sender: str = "1069012345") -> tuple[str, Trust]:
        told = recognise(registry, text, sender)
        assert told.otp
        return told.platform, told.trust

    code = "您的验证码是482913，5分钟内有效。"
    assert read(f"【{note}】{code}【工商银行】") == ("sig:工商银行", Trust.BANK)
    assert read(f"{code}【工商银行】【{note}】") == ("sig:工商银行", Trust.BANK)
    assert read(f"【{note}】{code}【美团】")[0] != read(f"【{note}】{code}【知乎】")[0]
    text = f"[{note}] 482913 is your verification code"
    assert read(text, "UBER")[0] != read(text, "LYFT")[0]


@pytest.mark.parametrize("note", ["验证码", "OTP"])
def test_a_gateway_that_takes_a_note_for_a_signature_names_nobody_by_it(note: str) -> None:
    registry = Registry.load_shipped()
    told = recognise(registry, "482913 is your verification code", "UBER", signature=note)
    assert told.platform == recognise(registry, "482913 is your verification code", "UBER").platform
