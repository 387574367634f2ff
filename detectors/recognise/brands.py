"""The name of a platform in the running text, where sender and signature name nobody.

"Your Tandem code is 4829" from AUTHMSG is Tandem's: a word with a capital behind "your" or in front
of "code", the beginning before a colon, what a Chinese text says one logs in to. A name holds no
digits, for the digits of a text are not remembered; it earns no trust, for anybody can write it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Final, NamedTuple

from detectors.recognise.fold import fold, name_key
from detectors.recognise.reading import Look
from detectors.recognise.registry import Line, Platform, Registry, Sender
from detectors.recognise.scenes import price
from detectors.recognise.scripts import NAMING, scripts_of
from detectors.recognise.shipped import shipped

_TABLE: Final = tomllib.loads(shipped("brands"))
_WORDS: Final = {kind: frozenset(words.split()) for kind, words in _TABLE.items()}
_NAME_WORDS: Final = 3  # of one name
_FIRST_CHARS: Final = 6
_NAMES_MAX: Final = 24  # words with a capital that are looked at
_CAPITAL: Final = re.compile(  # Tandem, eBay, O'Neil, AT&T, ID.me; Вибер
    "(?:(?<![\\w@./])|(?<=[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f\u1200-\u137f]))"
    "(?:[a-z]{0,2}[A-Z\u00c0-\u00de](?:[A-Za-z\u00c0-\u024f&'’+]|[.](?=[A-Za-z])){0,22}[A-Za-z\u00c0-\u024f+!]"
    "(?![A-Za-z0-9\u00c0-\u024f@/])"
    "|[\u0410-\u042f][\u0400-\u04ff-]{1,22}(?![\\w@/]))"
)
_LATIN: Final = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_ANY_WORD: Final = re.compile(  # "n'est" and "don't" are one word
    f"(?:[{_LATIN}]{{1,2}}['’](?=[a-z]{{2}}))?[0-9{_LATIN}]+|[^\\W_0-9{_LATIN}]+"
)
_OF_GOOGLE: Final = re.compile("(?<![\\w-])G-0{5,8}(?![\\w-])")  # nobody else writes codes so
_BETWEEN: Final = re.compile("| |[.&'’+!-]| [&-] ")
_SPOTS_MAX: Final = 48  # words of a text that are looked up
_SURE: Final = 4  # points of a name that stands where names do
_CERTAIN: Final = 7  # with such words on both sides: no other name can be more than that
_LETTERS: Final = re.compile("[^\\W\\d_]")
_HEAD_MARK: Final = re.compile("\\W{0,2}\\s?[:：|>»\\])】-]|[.] ")
_BEHIND_NAME: Final = re.compile(  # of a first word that is a name
    "\\W{0,2}\\s?[:：|>»\\])】\n-]|[.,] |(?: here!?|['’]s)?[ -](?:here|one[ -]?time|login"
    "|log-?in|sign-?in|verification|security|secure"
    "|access|sms|2fa|your|otp|pin|code)(?![a-z])"
)
_CODES_BEHIND: Final = re.compile(
    "(?:会員登録|新規登録|会員|登録|ログイン|アカウント|コード|会员注册|注册|登录|登入|小程序|\\s?코드)$"
)
_AMOUNT: Final = re.compile(
    "(?:0[.,]0|(?:eur|usd|inr|rs|rp|tl|sar|aed|rub|pln|czk|[$€£₹₽¥])[. ]?0)[^:;\n]{0,24}$",
    re.IGNORECASE,
)
_ENDING: Final = 3  # letters of a case's ending, at most
_STEM_MIN: Final = 5  # letters of a name that is looked for without it
_SHORT_ENDING: Final = re.compile("(?<=^[a-z]{4})(?:i|n|in|iin|an|u|a|em|od|on|il|lla|ssa)$")
"""The endings with which a name of four letters is looked for: Woltin, Boltu."""
_AMOUNT_CHARS: Final = 48
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}"
)
_SMALL: Final = tuple(
    re.compile(pattern)
    for pattern in (
        (
            "\\b(?:[Yy]our|[Uu]r) ([a-z][a-z.&-]{1,14}) (?:[a-z-]+ ){0,2}"
            "(?:code|otp|OTP|pin|PIN|passcode)\\b"
        ),
        (
            "\\b(?:code|codigo|código|codice|kod|kode|Code|OTP)"
            " (?:de|di|for|para|pour|untuk|für|voor|dla) ([a-z][a-z.&-]{2,14})\\b"
        ),
        "^\\W{0,3}([a-z][a-z.&-]{1,14})(?: (?:ur|your|secure|login|verification|code|otp|pin))+\\b",
        "^\\W{0,3}([a-z][a-z.&-]{2,14}) 0{3}",
    )
)
_CONSONANTS: Final = re.compile("[B-DF-HJ-NP-TV-XZ]{4,9}")  # a code in letters, rather
_HELLO: Final = re.compile(" ?[!,]")
_NO_HEAD: Final = re.compile(" ?[!,.]")  # behind a first word that is an ordinary one
_CAPITAL_BEHIND: Final = re.compile(" [A-Z\u00c0-\u00de]")  # Free Mobile
_LAST: Final = re.compile("(?: [A-Z][A-Za-z]{1,11})?\\W*$")
_BEFORE_LAST: Final = re.compile("[.!?)\n-][\\s-]{0,3}$")
_STOP: Final = re.compile("[.!?]\\s|[\n。！？]")
_LAST_SENTENCE: Final = re.compile("[^.!?\n。！？]*$")
_SENTENCE_CHARS: Final = 96
_WAYS: Final = 5  # words behind "by" that may be ways: by email, phone, SMS or WhatsApp
_CASE: Final = re.compile("['’][a-z\u00e0-\u024f]{1,4}$")  # Instagram'a
_TAILS: Final = frozenset({"pago", "pay", "now", "go"})
_JOINT: Final = re.compile(" (?:of |& )?|-|&")
_SIGNS: Final = "\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Scripts whose vowel signs are no letters to `\\w`."""
_HEAD: Final = re.compile(
    f"\\W{{0,6}}(?:<#>\\s?)?([^\\W\\d_][\\w{_SIGNS} .&'’+-]{{1,23}}?)"
    "\\s?(?:[:：|>»]|\\s[-\u2013\u2014~])"
)
_DOMAIN: Final = re.compile("(?<=[^\\W\\d_]{3})[.](?:com|net|org|app|[a-z]{2})$")
_INSTITUTE: Final = re.compile("banka?s?|banca|banco|banque|pank|банка?|ბანკი|pojistovna|schranka")
_FIRST_OTP: Final = re.compile(
    "\\W{0,4}([A-Za-z]{3,16}) (?:ka |ke |ki )?(?:otp|OTP|pin|PIN|code|kod|kode)\\b"
)
_CODES_NAME: Final = (
    "(?:短信|手机|手機|动态|動態|登录|登錄|登入|注册|註冊|安全|账号|帐号|帳號|帳戶|账户|身份|一次性|会员|會員|支付)*"
    "(?:验证码|驗證碼|校验码|校驗碼|动态码|動態碼|动态密码|动态口令|密码|密碼|验证代码|驗證代碼|确认码|確認碼|认证码|認證碼|代码|代碼)"
)
_CJK: Final = "[\u4e00-\u9fffA-Za-z·]"
_CHINESE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        f"(?:您的|你的|您嘅|你嘅|欢迎使用|歡迎使用|欢迎注册|感谢使用|感谢注册|来自|來自)\\s?({_CJK}{{2,12}}?)\\s?(?:的)?\\s?{_CODES_NAME}",
        f"(?:登录|登錄|登入|登陆|注册|註冊|绑定|綁定|加入|使用|激活|找回|重置)(?:您的|你的|了)?\\s?({_CJK}{{2,12}}?)\\s?(?:的)?(?:账号|帐号|帳號|账户|帳戶|会员|會員|APP|App|app|平台|网站|網站|小程序|服务|密码)",
        f"^\\W{{0,3}}({_CJK}{{2,10}}?)\\s?(?:的)?{_CODES_NAME}",
        f"(?:登录|登錄|登入|注册|註冊|用于|用於)\\s?({_CJK}{{2,8}})[，,。！]",
        f"(?:在|欢迎回到|歡迎回到|欢迎来到|登录到)\\s?({_CJK}{{2,10}}?)(?:小程序|进行|進行|的{_CODES_NAME}|登录|登入|，|,|绑定|App|APP)",
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
            f"(?:^|[,，。!！ ]|为|為|来|來|在|用)({_CJK}{{2,10}}?)"
            "(?:会员|會員|APP|App|欢迎|歡迎|当会员|为您|為您|的手机|的手機|借出|网银|網銀|绑定|綁定)"
        ),
        '[「『“"《]([^「」『』“”"《》\\d]{2,14})[」』”"》]',
    )
)
_CHINESE_LETTER: Final = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_HAN: Final = re.compile("[\u4e00-\u9fff]{3,}")
_RUN_CHARS: Final = 100
_FORBIDDEN: Final = re.compile("(?:勿|不要|不会|不會|不得|严禁|嚴禁)[^。！!；;，,\\n]{1,30}")
"""A clause on what nobody should do: 请勿通过微信转发. Who is named there did not send it."""

_NO_CHINESE: Final = re.compile(
    "^使用|^[をがにのはへでと]|提醒$|填写|填寫|修改|口令|本次|完成|点击|點擊|尊敬|客户|客戶|办理|辦理|验证|驗證|登录|登錄|登入|注册|註冊|您|你|手机|手機|账号|帐号|帳號|密码|密碼|短信|正在|请|請|勿|本人|操作|身份|新设备|会员$|一次|动态|動態|订购|訂購|安全|确认|確認|支付$|^的|^为|^了|绑定"
)
_JAPANESE: Final = re.compile(
    "([\u3040-\u30ff\u4e00-\u9fffA-Za-z]{2,14}?)(?:への|の|\\s)?(?:認証|確認|ログイン|セキュリティ|本人確認|ワンタイム)"
)
_KOREAN: Final = re.compile("([\uac00-\ud7afA-Za-z]{2,12})(?:의)? (?:인증|본인|로그인|확인|보안)")
_KOREAN_IS: Final = re.compile(
    "\\W{0,3}([\uac00-\ud7af]{2,10}?)(?:입니다|이에요|예요|에서|에 | 가입)"
)
_UNCASED: Final = tuple(
    # scripts without capitals: the word beside what says whose code it is
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
    "^(?:آپ|کد|كد|المصادقة|التفعيل|الدخول|التأكيد|الأمان|المرور|رمز|كود|التحقق|شما|هو|تایید|تأیید|ورود|عزيزي|کاربر|مشترک|سلام|شلום|आप|कृपया|प्रिय|ओटीपी"
    "|আপনার|আপনি|প্রিয়|তোমার|உங்கள்|மீ|మీ|ನಿಮ್ಮ|നിങ്ങളുടെ|તમારો|તમારું|તમારા|ਤੁਹਾਡਾ|ඔබගේ|ඔබේ|तपाईंको|तुमचा|तुमच्या|ಒಟಿಪಿ|ഒടിപി|ওটিপি|കോഡ്|কোড|કોડ|ਕੋਡ"
    "|ማረጋገጫ|ኮድ|ላንተ|ለመግባት|ክፍያ|پوي|پوی|حساب|اضغط|ਤਸਦੀਕ|सत्यापन|சரிபார்ப்பு|تىزىم|로그인|임시|本人|認証|確認|인증|본인|고객|회원)"
)
_NO_KOREAN: Final = re.compile("귀하|고객|회원|요청|입력|아래|본인|서비스")


class Place(NamedTuple):
    """A name where it stands in a text, or the key of a listed one, and the points for it."""

    worth: int
    start: int
    end: int
    name: str


class Listed(NamedTuple):
    """The names of the list, in all spellings: each key with the first one of its line."""

    names: dict[str, str]
    spellings: dict[str, tuple[str, ...]]  # of the first: the others
    ordinary: frozenset[str]  # those that are words as well
    unspaced: re.Pattern[str]  # those of scripts without blanks


@cache
def listed() -> Listed:
    """The names of `data/brands.toml`, made ready when the first text has to be searched."""
    names: dict[str, str] = {}
    ordinary: set[str] = set()
    spellings: dict[str, tuple[str, ...]] = {}
    for line in _TABLE["listed"].strip().splitlines():
        words = line.split()
        first = name_key(words[0].lstrip("*"))
        spellings[first] = tuple(map(name_key, words[1:]))
        for word in words:
            if word.startswith("*"):
                ordinary.add(name_key(word[1:]))
            names[name_key(word.lstrip("*"))] = first
            names[fold(word.lstrip("*"))] = first  # as a text has it: 蝦皮 is 虾皮 in keys
    apart = sorted(filter(_UNSPACED.match, names), key=len, reverse=True)
    begins = "".join(sorted({name[0] for name in apart}))  # most places of a text begin none
    unspaced = re.compile(f"(?=[{begins}])(?:{'|'.join(map(re.escape, apart))})")
    return Listed(names, spellings, frozenset(ordinary), unspaced)


def tells_nobody(origin: Sender) -> bool:
    """Tell if a sender names no platform: none, a number that nobody registered, a shared name."""
    if origin.owners:
        return False
    return origin.line is not Line.NAMED or origin.shared or origin.key in _WORDS["shared"]


def brand(registry: Registry, looked: Look) -> str | None:
    """The key of the platform that a text names, or None: the registry's, else `text:` and a name.

    Listed names come first, but for one that the text has in a better place; else the likeliest
    place decides.
    """
    text = looked.cased
    if looked.places is not None:  # digits in words, or of other scripts
        pairs = zip(text, looked.folded, strict=True)
        text = "".join(["0" if folded == "0" else letter for letter, folded in pairs])
    if looked.bracketed:
        start, end = looked.bracketed
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    if _OF_GOOGLE.search(text):
        return canonical(registry, "google")
    text = _FORBIDDEN.sub(lambda clause: " " * len(clause[0]), text)
    head = _head(text)
    if found := _from_list(registry, text):
        return _rival(registry, text, head, found) or canonical(registry, found.name)
    names = head + _chinese(text)
    for name in (*names, *_runs(text)):
        known = _known(registry, name)
        if known and not (head and name not in head and _paid(text, name)):
            return f"sig:{known.key}"
    for name in (*names, *(place.name for place in _latin(text)), *_small(text)):
        spelled = name not in head and _CONSONANTS.fullmatch(name)
        if not spelled and (key := _as_key(registry, name)):
            return key
    return None


def _as_key(registry: Registry, name: str) -> str | None:
    """The platform's key for a name of the text; None if it is no name but what a code is called.

    Nor may it hold digits.
    """
    key = name_key(name)
    if _names_a_code(name) or not 2 <= len(key) <= 24 or any(letter.isdigit() for letter in key):
        return None
    if known := _known(registry, name):
        return f"sig:{known.key}"
    return canonical(registry, _without_domain(registry, name) or key)


def _rival(registry: Registry, text: str, head: list[str], listed_: Place) -> str | None:
    """The key of a name that stands in a better place than the listed one, which may be a channel.

    Who writes stands first: of places that are as good the earlier one counts if a sentence ends
    between the two, or if the later one is where something is paid.
    """
    if listed_.worth >= _CERTAIN or _LETTERS.search(text, 0, listed_.start) is None:
        return None
    own = {name_key(text[listed_.start : listed_.end]), listed_.name}
    for place in (*(Place(_SURE, 0, 0, name) for name in head), *_latin(text)):
        least = _SURE if place.start < listed_.start else _CERTAIN
        if place.worth < max(least, listed_.worth) or _paid(text, place.name):
            continue
        if any(key in name_key(place.name) for key in own):
            return None  # Amazon Prime
        if place.worth == listed_.worth and not (
            _STOP.search(text, place.end, listed_.start) or (place.end == 0 and price(fold(text)))
        ):
            continue
        if key := _as_key(registry, place.name):
            return key
    return None


def _without_domain(registry: Registry, name: str) -> str | None:
    """The key of a known name with a domain behind it, as in ameli.fr; None if it is no such."""
    bare = name_key(_DOMAIN.sub("", name))
    known = bare in listed().names or bare in registry.signatures
    return bare if known and name_key(name) not in listed().names else None


def _from_list(registry: Registry, text: str) -> Place | None:
    """The listed or registered name that stands where names do, else any other one.

    Names of up to three words, whatever their capitals; an ordinary word such as "line" only with a
    capital and in a name's place, and nothing behind an amount of money, which is where the money
    goes, nor what is only a way to send something.
    """
    best: Place | None = None
    for start, end, key in _spots(registry, text):
        worth = _likely(text, start, end)
        first = _LETTERS.search(text, 0, start) is None
        ordinary = key in listed().ordinary
        if first and _HEAD_MARK.match(text, end):
            worth += 3
        elif first and (worth > 1 or not ordinary or _CAPITAL_BEHIND.match(text, end)):
            worth += 1
        elif _LAST.match(text, end) and _BEFORE_LAST.search(text, max(0, start - 4), start):
            worth += 5  # who signs
        if _AMOUNT.search(text, max(0, start - _AMOUNT_CHARS), start):
            worth -= 4
        if ordinary:
            small = not text[start:end][:1].isupper()
            greeted = _is_greeted(text, start, end) or (first and _NO_HEAD.match(text, end))
            worth -= 4 if small or greeted else 1
        elif worth == 0 and key not in _WORDS["channels"]:
            worth = 1  # wherever it stands
        if worth <= _SURE and _is_channel(text, start, key):
            continue
        if worth > 0 and (best is None or worth > best.worth):
            best = Place(worth, start, end, key)
    return best


def _is_channel(text: str, start: int, key: str) -> bool:
    """Tell if a name stands as a way to send something, or where something is not to be done.

    "We never ask for it by email, WhatsApp or phone."
    """
    if key not in _WORDS["channels"]:
        return False
    sentence = _LAST_SENTENCE.search(text, max(0, start - _SENTENCE_CHARS), start)
    words = [fold(word) for word in _ANY_WORD.findall(sentence[0])] if sentence else []
    ways = (len(words) - at for at, word in enumerate(words, 1) if word in _WORDS["by"])
    return min(ways, default=_WAYS) < _WAYS or not _WORDS["never"].isdisjoint(words)


def canonical(registry: Registry, key: str) -> str:
    """The platform's key for a name: the registry's by any spelling, else the list's first one."""
    first = listed().names.get(key, key)
    for spelling in (key, first, *listed().spellings.get(first, ())):
        if known := registry.signatures.get(spelling):
            return f"sig:{known.key}"
    return f"text:{first}"


def _spots(registry: Registry, text: str) -> Iterator[tuple[int, int, str]]:
    """Each listed or registered name in a text: where it begins, where it ends, and its key."""
    names, known = listed().names, registry.signatures
    words = list(islice(_ANY_WORD.finditer(text), _SPOTS_MAX))
    keys = [_spelled(word[0]) for word in words]
    at = 0
    while at < len(words):
        for count in (3, 2, 1):
            key = "".join(keys[at : at + count])
            if count == 1 and key not in names and words[at][0][0].isupper():
                key = _stem(key)
            # looked up first: of most words that is all
            if not (key in names or key in known) or key.isdigit() or len(key) <= 1:
                continue
            if at + count <= len(words) and all(
                _BETWEEN.fullmatch(text, words[each].end(), words[each + 1].start())
                for each in range(at, at + count - 1)
            ):
                yield words[at].start(), words[at + count - 1].end(), key
                at += count - 1
                break
        at += 1
    if not text.isascii():
        folded = fold(text)
        if len(folded) == len(text):
            for found in listed().unspaced.finditer(folded):
                yield found.start(), found.end(), found[0]


def _spelled(word: str) -> str:
    """A word as a name's key has it; one that only folds to a name is left as it is written."""
    lower = word.lower()
    return lower if lower.isascii() or lower in _WORDS["unfolded"] else fold(word)


def _stem(key: str) -> str:
    """A listed name without the ending of a case: Telegramu, Googleov; else what was given."""
    for stop in range(len(key) - 1, max(len(key) - 1 - _ENDING, _STEM_MIN - 1), -1):
        if key[:stop] in listed().names and key[:stop] not in listed().ordinary:
            return key[:stop]
    short = key[: _STEM_MIN - 1]
    return short if short in listed().names and _SHORT_ENDING.search(key) else key


def _paid(text: str, name: str) -> bool:
    """Tell if a name stands behind an amount of money."""
    at = text.find(name)
    return at > 0 and _AMOUNT.search(text, max(0, at - _AMOUNT_CHARS), at) is not None


def _small(text: str) -> list[str]:
    """The small word between "your" and "code", in the languages that write so: "your ofo code"."""
    return [
        found[1] for pattern in _SMALL if (found := pattern.search(text)) and not _is_stop(found[1])
    ]


def _names_a_code(name: str) -> bool:
    """Tell if a supposed name is what some language calls a code, or what a code is for."""
    camel = not name[1:].islower() and not name[1:].isupper()
    for body in dict.fromkeys((fold(name), name_key(name))):
        scripts = scripts_of(body)
        if any(w.kind in NAMING and w.start == 0 for script in scripts for w in script.words(body)):
            return True
        if not camel and any(script.is_purpose(body) for script in scripts):
            return True
    return False


def _known(registry: Registry, name: str) -> Platform | None:
    """The registry's platform of this name, or of its first word."""
    platform = registry.signatures.get(name_key(name))
    if platform is None and " " in name:
        platform = registry.signatures.get(name_key(name.split(" ", maxsplit=1)[0]))
    return platform


def _runs(text: str) -> list[str]:
    """Runs of three to six Chinese letters, the longest first: perhaps names of the registry."""
    if text.isascii():
        return []
    runs = _HAN.findall(text[:_RUN_CHARS])
    return [
        run[at : at + length]
        for length in (6, 5, 4, 3)
        for run in runs
        for at in range(len(run) - length + 1)
    ]


@cache
def _stop(word: str) -> bool:
    return word.lower() in _WORDS["unfolded"] or fold(word).strip(".'’") in _WORDS["no_name"]


def _head(text: str) -> list[str]:
    """Find what stands before a colon or a dash at the beginning, or "code" as first word."""
    if found := _FIRST_OTP.match(text):
        return [] if _is_stop(found[1]) else [found[1]]
    found = _HEAD.match(text)
    if not found:
        return []
    words = found[1].split()
    while len(words) > 1 and (words[-1].islower() or _is_stop(words[-1])):
        if len(words) <= _NAME_WORDS and _INSTITUTE.fullmatch(fold(words[-1])):
            break
        words.pop()
    front, dash, back = words[-1].rpartition("-")
    if dash and front and _is_a_codes(back):
        words[-1] = front
    if not words[-1].isascii():
        words[-1] = _CODES_BEHIND.sub("", words[-1]) or words[-1]
    stops = any(map(_is_stop, words)) or len(words) > _NAME_WORDS
    return [] if stops or _NO_CHINESE.search(found[1]) else [" ".join(words)]


def _latin(text: str) -> list[Place]:
    """Names in letters with capitals, the likeliest first."""
    told: list[Place] = []
    words: list[re.Match[str]] = []
    for found in _CAPITAL.finditer(text):
        if len(words) == _NAMES_MAX:
            break
        words.append(found)
    at = 0
    while at < len(words):
        first = last = words[at]
        at += 1
        hello = first[0].endswith("!") or _HELLO.match(text, first.end())
        if _is_stop(first[0]) or (first.start() <= _FIRST_CHARS and hello):
            continue
        count = 1
        while at < len(words) and count < _NAME_WORDS and _continues(words[at][0]):
            joint = text[last.end() : words[at].start()]
            if not _JOINT.fullmatch(joint) or (joint == "-" and _is_a_codes(words[at][0])):
                break
            last = words[at]
            at += 1
            count += 1
        start, end = first.start(), last.end()
        name = _CASE.sub("", text[start:end])
        worth = _likely(text, start, end)
        if worth <= _SURE and _is_channel(text, start, name_key(name)):
            continue
        if worth > 1 or not (_begins(text, start, end) or _is_greeted(text, start, end)):
            told.append(Place(worth, start, end, name))
    return sorted(told, key=lambda place: (-place.worth, place.start))


def _is_greeted(text: str, start: int, end: int) -> bool:
    """Tell if a word is who the text is for: "Hi Tim, your code"."""
    before = _HELLO.match(text, end) and _WORD_BEFORE.search(text, max(0, start - 20), start)
    return before is not None and fold(before[1]) in _WORDS["greetings"]


def _begins(text: str, start: int, end: int) -> bool:
    """Tell if a word has its capital only because a sentence begins with it: "Enter 4829"."""
    word = text[start:end]
    if " " in word or not word[1:].islower():
        return False
    ordinary = name_key(word) in listed().ordinary
    mark = not ordinary and start <= _FIRST_CHARS and _BEHIND_NAME.match(text, end)
    return not mark and _SENTENCE.search(text, max(0, start - 4), start) is not None


def _is_a_codes(word: str) -> bool:
    """Tell if a word is what some language calls a code: Telekom-Sicherheitscode."""
    body = fold(word)
    return any(each.kind in NAMING for script in scripts_of(body) for each in script.words(body))


def _continues(word: str) -> bool:
    return not _is_stop(word) or word.lower() in _TAILS


def _is_stop(word: str) -> bool:
    return len(word) < 24 and _stop(word)


_WORD_BEFORE: Final = re.compile("([^\\W\\d_]+)['’]?\\s[\"'“«„(]?$")
_WORD_AFTER: Final = re.compile("[\"'”»)]?(?:['’]s)?[\\s-]([^\\W\\d_-]+(?:-[^\\W\\d_]+)?)")
_CODE_WORD: Final = re.compile(
    "(?:[a-z]*(?:code|kode?|codigo|codice|codul|cod|kood|koodi|kodu|pin|otp|passcode)[a-z]{0,5})$"
)
_SENTENCE: Final = re.compile("(?:^|[.!?:\\n。！？]\\s{0,2})\\W{0,2}$")


def _likely(text: str, start: int, end: int) -> int:
    """Points for a word with a capital as a platform's name, by the words around it."""
    before = _WORD_BEFORE.search(text, max(0, start - 20), start)
    after = _WORD_AFTER.match(text, end, min(len(text), end + 24))
    worth = 1
    if before and fold(before[1]) in _WORDS["before"]:
        worth += 3
    if after:
        word = fold(after[1])
        if word in _WORDS["after"] or _CODE_WORD.match(word):
            worth += 3
    first = _SENTENCE.search(text, max(0, start - 4), start) is not None
    if worth == 1 and first:  # as any first word, but who writes may stand first in all
        worth = 0 if start > _FIRST_CHARS else 1
    return worth + 2 * (text.count(text[start:end]) > 1)


def _chinese(text: str) -> list[str]:
    """Names in Chinese, Japanese or Korean, the likeliest first."""
    if text.isascii():
        return []
    names = [
        found[1].strip()
        for pattern in (_CHINESE if _CHINESE_LETTER.search(text) else ())
        if (found := pattern.search(text)) and not _NO_CHINESE.search(found[1])
    ]
    if (found := _JAPANESE.search(text)) and not _NO_CHINESE.search(found[1]):
        names.append(found[1])
    if (found := _KOREAN_IS.match(text)) and not _NO_KOREAN.search(found[1]):
        names.insert(0, found[1])
    if (found := _KOREAN.search(text)) and not _NO_KOREAN.search(found[1]):
        names.append(found[1])
    if names:
        return names
    uncased = [found[1] for pattern in _UNCASED if (found := pattern.search(text))]
    return [name for name in uncased if not _NO_UNCASED.match(name)]
