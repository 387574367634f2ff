"""Find platform names in scripts without capitals: Chinese, Japanese, Korean, Arabic and others.

Without capitals, a name is found by the words around it.
"""

import re
from itertools import islice
from typing import Final

from detectors.recognise.fold import fold
from detectors.recognise.names import NO_CHINESE, WORDS, is_plain, names_a_code

_CODES_NAME: Final = (
    "(?:短信|手机|手機|动态|動態|登录|登錄|登入|注册|註冊|安全|账号|帐号|帳號|帳戶|账户|身份|一次性|会员|會員)*"
    "(?:验证码|驗證碼|校验码|校驗碼|动态码|動態碼|动态密码|动态口令|密码|密碼|验证代码|驗證代碼|确认码|確認碼|认证码|認證碼|代码|代碼)"
)
_CJK: Final = "[\u4e00-\u9fffA-Za-z\u01a2\u01a3·]"
_CHINESE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        f"(?:您的|你的|您嘅|你嘅|欢迎使用|歡迎使用|欢迎注册|感谢使用|感谢注册|来自|來自)\\s?({_CJK}{{2,12}}?)\\s?(?:的)?\\s?{_CODES_NAME}",
        f"(?:登录|登錄|登入|登陆|注册|註冊|绑定|綁定|加入|使用|激活|找回|重置|用于|用於)(?:您的|你的|了)?\\s?({_CJK}{{2,12}}?)\\s?(?:的)?(?:账号|帐号|帳號|账户|帳戶|会员|會員|APP|App|app|平台|网站|網站|小程序|服务|密码)",
        f"^\\W{{0,3}}({_CJK}{{2,10}}?)\\s?(?:的)?{_CODES_NAME}",
        f"(?:登录|登錄|登入|注册|註冊|用于|用於)\\s?({_CJK}{{2,8}})[，,。！]",
        f"(?:在|欢迎回到|歡迎回到|欢迎来到|登录到)\\s?({_CJK}{{2,10}}?)(?:小程序|进行|進行|的{_CODES_NAME}|登录|登入|，|,|！|!|绑定|App|APP)",
        f"^\\W{{0,3}}({_CJK}{{2,8}}?)(?:小程序|APP|App|app)",
        f"^\\W{{0,3}}({_CJK}{{2,10}}?)(?:提醒您|温馨提示|通知您|客服|の|です|に(?:ご登録|ログイン))",
        f"(?:^|[，,。 ])({_CJK}{{1,6}}(?:银行|銀行|证券|證券|保险|保險))",
        (
            f"(?:^|[，,。 ]|正在使用)({_CJK}{{2,8}}?)"
            "(?:密码重置|密碼重設|登录|登錄|登入|網銀|手机银行|专用|專用)"
        ),
        f"[—-]{{1,2}}\\s?({_CJK}{{2,10}})[。\\s]*$",
        (
            "(?:欢迎使用|歡迎使用|欢迎加入|歡迎加入|感谢使用|感謝使用|申请|申請)"
            f"\\s?({_CJK}{{2,10}}?)(?:[,，。!！ ]|$)"
        ),
        (
            f"(?:^|[,，。!！?？ ]|为|為|来|來|在|用)({_CJK}{{2,10}}?)"
            "(?:会员|會員|APP|App|欢迎|歡迎|当会员|为您|為您|的手机|的手機|借出|网银|網銀|绑定|綁定)"
        ),
        f"(?:^|[,，。!！?？ ）)])({_CJK}{{2,8}}?)(?:關心您|关心您|提醒您|祝您|敬上|團隊|团队)",
        f"^\\W{{0,3}}({_CJK}{{2,12}}) (?:{_CODES_NAME}|绑定|綁定|登录|登入|注册|註冊|验证|驗證)",
        f"[（(]({_CJK}{{2,10}}?)\\s?(?:的)?{_CODES_NAME}[)）]",
        f"[。！!]({_CJK}{{3,8}})\\s*$",
        '[「『“"《]([^「」『』“”"《》\\d]{2,14})[」』”"》]',
    )
)
_CHINESE_LETTER: Final = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_HAN: Final = re.compile("[\u4e00-\u9fff]{3,}")
_RUN_CHARS: Final = 100
_JAPANESE: Final = re.compile(
    "([\u3040-\u30ff\u4e00-\u9fffA-Za-z\u01a2\u01a3]{2,14}?)(?:への|の|\\s)?(?:認証|確認|ログイン|セキュリティ|本人確認|ワンタイム)"
)
_HANGUL: Final = re.compile("[\uac00-\ud7af]")
_WITHOUT_CAPITALS: Final = re.compile("[\u0531-\u1fff\u3040-\u9fff\uac00-\ud7af]")
_KANA_LETTER: Final = re.compile("[\u3040-\u30ff]")
_KANA: Final = "[\u3040-\u30ff\u4e00-\u9fffA-Za-z\u01a2\u01a3]"
_JAPANESE_PLACES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        f"0\\s?[はが]\\s?({_KANA}{{2,14}}?)(?:への|の)",
        f"(?:^|[\\s。、！!）)0]){{1,2}}({_KANA}{{2,14}}?)(?:に|へ|の)?(?:ログイン|サインイン|ご?登録|新規登録)",
        f"^\\W{{0,3}}({_KANA}{{2,14}}?)[\u3000 ](?={_KANA})",
    )
)
_JAPANESE_LAST: Final = re.compile("[\\s。！!]([\u30a0-\u30ff]{3,14})$")
_PARTICLE: Final = re.compile("(?<=..)(?:から|より|への|では|には|での|[にへでとをがはの])$")
_SERVICE: Final = re.compile(
    "(?<=..)(?:インターネットバンキング|コントロールパネル|ポータル|アプリ|公式サイト|取引所|コード)$"
)
_KOREAN_PARTICLE: Final = re.compile("(?<=[\uac00-\ud7af]{2})(?:에서|에게|[의에은는을를])$")
_KOREAN_PLACES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        "^\\W{0,12}([\uac00-\ud7af]{2,12}) (?:앱|어플|비밀번호|계정|코드|이체|송금|결제|출금|회원)",
        "0\\s?[을를]\\s([\uac00-\ud7af]{2,12}) ",
        "0\\s?로\\s([\uac00-\ud7af]{2,12})에 ",
    )
)
_KOREAN: Final = re.compile(
    "([\uac00-\ud7afA-Za-z\u01a2\u01a3]{2,12})(?:의)? (?:인증|본인|로그인|확인|보안)"
)
_KOREAN_IS: Final = re.compile(
    "\\W{0,3}([\uac00-\ud7af]{2,10}?)(?:입니다|이에요|예요|에서|에 | 가입)"
)
_UNCASED: Final = tuple(
    # Other scripts without capitals: the word beside "code", "your" and similar words.
    re.compile(pattern)
    for pattern in (
        (
            "(?:رمز|كود|کد)(?: (?:التحقق|التفعيل|تایید|تأیید|ورود|فعالسازی|برداشت))?"
            " ([\u0620-\u06ff]{3,14}(?: شات| ایپ)?) (?:شما|الخاص|هو|:)"
        ),
        "(?:کد تایید|کد ورود|کد فعالسازی|كود|رمز) ([\u0620-\u06ff]{3,14}(?: شات)?)(?::|\\s*$| 0)",
        (
            "(?:الخاص بك في|الخاص بك من|ل?حسابك في|تطبيق|رمزك 0+ من|کد|به)"
            " ([\u0620-\u06ff]{3,14})(?:[ .!]|$)"
        ),
        "^([\u0620-\u06ff]{3,14})[!:] ",
        "^([\u0620-\u06ff]{3,14}) (?:کد|كود|رمز)",
        "(?:שלך ל-?|באתר |באפליקציית |לחשבון )([\u05d0-\u05ea]{2,12})",
        "(?:รหัสยืนยัน|รหัสผ่าน|รหัส OTP) ?([\u0e00-\u0e7f]{3,14}?)(?:ของคุณ|คือ|[ ?]{1,2}0|\\?)",
        "(?:รหัส(?:ยืนยัน)?|OTP|บัญชี)(?:ของ)?([\u0e00-\u0e7f]{3,14}) 0",
        "^([\u0900-\u0dff]{3,16}(?: [\u0900-\u0dff]{2,12})?)\\s?[:-]",
        (
            "^([\u0900-\u0dff]{3,16}) (?:(?:का|की|के|এর|ને|ਦਾ) )?(?:OTP|PIN|ओटीपी|कोड|কোড|ওটিপি"
            "|કોડ|ਕੋਡ|ಕೋಡ್|ಒಟಿಪಿ|കോഡ്|ഒടിപി|కోడ్|குறியீடு)"
        ),
        ("^([\u0900-\u0dff]{2,16}) (?:ऐप|एप|पोर्टल|অ্যাপ|পোর্টাল|పోర్టల్|પોર્ટલ|ਪੋਰਟਲ|ಪೋರ್ಟಲ್|ಆನ್‌ಲೈನ್|പോർട്ടൽ)"),
        "^([\u0531-\u0587]{3,20})[.։:] ",
        "^የ?([\u1200-\u137f]{2,10}) ",
        "^([\u30a0-\u30ff\u4e00-\u9fff]{2,10})(?:です。|に(?:ご登録|ログイン)|アプリ|の画面)",
        "0+を([\u30a0-\u30ff]{2,10})の",
        "^([\uac00-\ud7af]{2,10}) (?:코드|비밀|비밀번호)",
        "(?:입력하시면|입력하면) ([\uac00-\ud7af]{2,10})",
    )
)
_NO_UNCASED: Final = re.compile(
    "^(?:ของ|คือ|สำหรับ|ชั่วคราว|ใหม่|ใช้|การ|ยืนยัน|นี้|เข้า|อ้างอิง|ลับ|آپ|کد|كد|المصادقة|التفعيل|الدخول|التأكيد|الأمان|المرور|رمز|كود|التحقق|شما|هو|تایید|تأیید|ورود|عزيزي|کاربر|مشترک|سلام|شلום|आप|कृपया|प्रिय|ओटीपी"
    "|আপনার|আপনি|প্রিয়|তোমার|உங்கள்|மீ|మీ|ನಿಮ್ಮ|നിങ്ങളുടെ|તમારો|તમારું|તમારા|ਤੁਹਾਡਾ|ඔබගේ|ඔබේ"
    "|तपाईंको|तुमचा|तुमच्या|ಒಟಿಪಿ|ഒടിപി|ওটিপি|കോഡ്|কোড|કોડ|ਕੋਡ"
    "|ማረጋገጫ|ኮድ|ላንተ|ለመግባት|ክፍያ|پوي|پوی|حساب|اضغط|ਤਸਦੀਕ|सत्यापन|சரிபார்ப்பு|تىزىم|로그인|임시"
    "|本人|認証|確認|인증|본인|고객|회원)"
)
_TOKEN: Final = re.compile(
    "[\u0531-\u0587\u05d0-\u05ea\u0620-\u06ff\u0780-\u07bf\u0900-\u0dff\u10d0-\u10ff\u1200-\u135f]"
    "[\u0531-\u0587\u05b0-\u05f4\u0610-\u061a\u0620-\u0669\u066e-\u06d3\u06d5-\u06ff\u0780-\u07bf\u0900-\u0963\u0970-\u0dff\u10d0-\u10ff\u1200-\u135f\u200c\u200d'’-]*"
)
_TOKENS_MAX: Final = 24
_NAME_CHARS: Final = 24  # longest word that can be a name, in characters
_RUN_WORDS: Final = 2
_CODE_WORDS: Final = 3  # largest number of words in a name for codes: "one-time code"
_MARK: Final = re.compile("\\s?[:：|\\n៖፡።։؛;]|\\s[-\u2013\u2014]\\s")
_NUMBER: Final = re.compile("[ :،\\n]{0,3}(?:0|$)|[.!،?؟]")
_BEFORE: Final = frozenset(map(fold, WORDS["plain_before"]))
_YOURS: Final = frozenset(map(fold, WORDS["yours"]))
_BEHIND: Final = frozenset(map(fold, WORDS["plain_behind"]))
_ARABIC: Final = re.compile("(?!ال)[\u0620-\u06ff]")
_NO_KOREAN: Final = re.compile(
    "귀하|고객|회원|요청|입력|아래|본인|서비스|인증|로그인|비밀번호|임시|보안|화면|위의|해당"
    "|이용|확인|일회용|신규|새로운|타인|(?:서울|부산|대구|인천|광주|대전|울산|제주)(?:에서)?$"
)


def runs(text: str) -> list[str]:
    """Return all runs of three to six Chinese characters, the longest first.

    A run may be a name in the registry.
    """
    if text.isascii():
        return []
    runs = _HAN.findall(text[:_RUN_CHARS])
    return [
        run[at : at + length]
        for length in (6, 5, 4, 3)
        for run in runs
        for at in range(len(run) - length + 1)
    ]


def find_uncased(text: str) -> list[str]:
    """Return names in scripts without capitals, the most likely first."""
    if text.isascii() or not _WITHOUT_CAPITALS.search(text):
        return []
    names: list[str] = []
    if _CHINESE_LETTER.search(text):
        names = _find_names(_CHINESE, text, NO_CHINESE)
        if _KANA_LETTER.search(text):
            names += _find_names(_JAPANESE_PLACES, text, NO_CHINESE)
        names += _find_names((_JAPANESE, _JAPANESE_LAST), text, NO_CHINESE)
    if _HANGUL.search(text):
        if (found := _KOREAN_IS.match(text)) and not _NO_KOREAN.search(found[1]):
            names.insert(0, found[1])
        names += _find_names((*_KOREAN_PLACES, _KOREAN), text, _NO_KOREAN)
    if names:
        return [_bare(name) for name in names]
    uncased = [found[1] for pattern in _UNCASED if (found := pattern.search(text))]
    return [name for name in uncased if not _NO_UNCASED.match(name)]


def _find_names(
    patterns: tuple[re.Pattern[str], ...], text: str, no_name: re.Pattern[str]
) -> list[str]:
    """Return the names that the patterns find, except those that match `no_name`."""
    return [
        found[1].strip()
        for pattern in patterns
        if (found := pattern.search(text)) and not no_name.search(found[1])
    ]


def _bare(name: str) -> str:
    """Return a Japanese or Korean name without its particle and without "app" or "portal"."""
    name = _PARTICLE.sub("", name)
    return _SERVICE.sub("", _KOREAN_PARTICLE.sub("", name))


def between(text: str) -> list[str]:
    """Return unknown words at typical places of names, in scripts with spaces and without capitals.

    Such places are: at the beginning before a mark, a name for codes, or a word such as "app";
    between "your" and a name for codes; after "at"; between a name for codes and the number.
    """
    if text.isascii():
        return []
    tokens = list(islice(_TOKEN.finditer(text), _TOKENS_MAX))
    plain = [len(token[0]) > _NAME_CHARS or is_plain(token[0]) for token in tokens]
    found: list[tuple[int, str]] = []
    at = 0
    while at < len(tokens):
        stop = at + 1
        if not plain[at]:
            while stop < len(tokens) and not plain[stop] and _next_to(text, tokens, stop):
                stop += 1
            worth = _stands(text, tokens, at, stop) if stop - at <= _RUN_WORDS else 0
            if worth:
                found.append((worth, text[tokens[at].start() : tokens[stop - 1].end()]))
        at = stop
    return [name for _, name in sorted(found, key=lambda each: -each[0])]


def _next_to(text: str, tokens: list[re.Match[str]], at: int) -> bool:
    """Return whether exactly one space separates a word from the word before it."""
    return 0 < at < len(tokens) and text[tokens[at - 1].end() : tokens[at].start()] == " "


def _stands(text: str, tokens: list[re.Match[str]], at: int, stop: int) -> int:
    """Return how likely unknown words are a name, in points, by the words around; 0 for no name."""
    end = tokens[stop - 1].end()
    after = tokens[stop][0] if _next_to(text, tokens, stop) else ""
    is_code = bool(after) and names_a_code(after)
    if not any(map(str.isalnum, text[: tokens[at].start()])):
        return 3 if _MARK.match(text, end) else 2 * (is_code or fold(after) in _BEHIND)
    if not _next_to(text, tokens, at):
        return 0
    before = fold(tokens[at - 1][0])
    ends = _NUMBER.match(text, end) is not None
    if (before in _YOURS and (is_code or fold(after) in _BEHIND)) or (
        before in _BEFORE and (ends or after)
    ):
        return 2
    of_code = any(names_a_code(token[0]) for token in tokens[max(0, at - _CODE_WORDS) : at])
    return int(ends and of_code and _ARABIC.match(text, tokens[at].start()) is not None)
