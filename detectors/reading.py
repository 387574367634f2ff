"""What a text tells by itself: the rule that decides, the place of its code, and the sender's name.

The idea: every number in a text belongs to the word that names it. Find the numbers that look like
a code, find the words that name numbers (`words.LANGUAGES`), give each number to the word nearest
to it, and look what kind of word that is. A pick-up number, a card's last digits and a phone number
have owners too; that is why they are not codes.

A text is read with its digits masked, so that all messages of one template are read once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from detectors.fold import fold, kept, mask
from detectors.lexicon import any_of, branches
from detectors.rules import RULES
from detectors.words import LANGUAGES

HEAD_CHARS: Final = 480
TAIL_CHARS: Final = 160
"""What is read of a longer text: its first and its last characters. Chosen: a code stands in the
first seven segments of 70, a host line or a signature at the end; whatever is sent, a text costs no
more than 640 characters do."""
READ_CHARS: Final = HEAD_CHARS + 1 + TAIL_CHARS  # with the line break that joins them

class _Kind(Enum):
    """What a word says about the number that it names; see `words`."""

    DENIED = "denied"
    NAMES = "names"
    OTHERS = "others"
    WEAK = "weak"


_Word = tuple[int, int, _Kind]  # start, end, kind

_LETTER_BEFORE: Final = "(?<![^\\W\\d_])"
_LETTER_AFTER: Final = "(?![^\\W\\d_])"


class _Script:
    """The languages of one script: finds their words, and whether a text is of another scene."""

    def __init__(self, letters: str, *langs: str) -> None:
        rows = [row for row in LANGUAGES if row.lang in langs]
        apart = all(row.words_apart for row in rows)
        edges = (_LETTER_BEFORE, _LETTER_AFTER) if apart else ("", "")
        by_kind = {kind: [word for row in rows for word in getattr(row, kind.value)] for kind in _Kind}
        self._letters = re.compile(letters)
        self._find = any_of([word for words in by_kind.values() for word in words], *edges)
        self._kinds = [(kind, any_of(words, *edges)) for kind, words in by_kind.items()]
        self._scene = any_of([word for row in rows for word in row.scene], *edges)

    def present(self, text: str) -> bool:
        return self._letters.search(text) is not None

    def words(self, text: str) -> list[_Word]:
        return [
            (start, end, self._kind(text, start, end))
            for start, end in (found.span() for found in self._find.finditer(text))
        ]

    def other_scene(self, text: str) -> bool:
        return self._scene.search(text) is not None

    def _kind(self, text: str, start: int, end: int) -> _Kind:
        """The first kind that has the word. "Never share your code 482913" does name a code."""
        for kind, words in self._kinds:
            found = words.match(text, start)
            if found and found.end() == end:
                denied = kind is _Kind.DENIED and not _NUMBER_NEXT.match(text, end)
                return _Kind.NAMES if kind is _Kind.DENIED and not denied else kind
        return _Kind.OTHERS


_NUMBER_NEXT: Final = re.compile("\\W{0,3}0{4}")
_SCRIPTS: Final = (
    _Script("[\u3040-\u30ff\u4e00-\u9fff]", "zh", "ja"),
    _Script("[\uac00-\ud7af]", "ko"),
    _Script("[\u0400-\u04ff]", "ru"),
    _Script("[\u0600-\u06ff]", "ar", "fa"),
    _Script("[\u0590-\u05ff]", "he"),
    _Script("[\u0e00-\u0e7f]", "th"),
    _Script("[\u0900-\u097f]", "hi"),
    _Script("[a-z]{2}", "en", "es", "pt", "fr", "de", "it", "vi", "id", "tr"),
)

_CODE: Final = {row.lang: row for row in LANGUAGES}
_CODE: Final = {row.lang: row for row in LANGUAGES}
_CODE: Final = re.compile(
    # not inside a word, number, amount, time or address; not a card's `*0000`
    "(?<![0-9a-z_@*+$€£¥₩₹₽฿₫%/&=.])(?<!0[:,.\u2010-\u2015-])(?<!0 )"
    "(?:"
    "(?P<letter>[a-z]{1,3}-0{5,8})"
    "|(?P<digits>0{3}[ \u2010-\u2015-]0{3}|0{4}[ \u2010-\u2015-]0{4}|0{2}-0{2}-0{2}"
    "|0(?:[ -]0){3,7}|0{4,8})"
    "|(?P<mixed>(?=[a-z]{0,8}0)(?=0{0,8}[a-z])[0-9a-z]{4,9})"
    "|(?P<spelled>[零〇一二三四五六七八九]{4,8})"
    "|(?P<cut>0{1,3}(?=$))"
    ")"
    "(?![0-9a-z_%*@])(?![:,./\u2010-\u2015-][0-9a-z]|[ ]0{3,}|[ ]?/[ ]?0)"
)
_UNIT: Final = re.compile(
    "\\s?(?:元|円|원|圆|折|年|月|日|号|號|点|點|分钟|分鐘|分|小时|小時|天|人|件|个|個|名|万|萬|亿|秒|岁|楼|室|层|积分|積分|年生|時|회|명|개|일|월|년|시"
    "|(?:gb|mb|kb|km|kwh|kg|lakh|eur|euros?|usd|inr|tl|rp|vnd|руб|р[.]|dinar|baht|days?|hours?|hrs?|minutes?|mins?|am|pm|uhr|customers?|points?|pts|people)(?![a-z])"
    "|[₽₫₪₹€$£đ%]|บาท|บ[.]|ريال|تومان|درهم|जीबी|रुपये|#)"
)
_MONEY: Final = re.compile("(?:[$€£¥₩₹₽฿₫]|rs[.]?|inr|nt|usd|eur|rp|rm|no[.]?|nr[.]?|№|n°|#)\\s?$")
_MONTH: Final = re.compile("0{1,2}(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ago|aout|okt)0*")
_URL: Final = re.compile(
    "https?://\\S+|(?<![@\\w.-])(?:[a-z0-9-]{1,40}+[.]){1,4}(?:com|cn|net|org|io|cc|co|me|ru|br|de|fr|it|in|id|tr|vn|th|il|ir|ae|uk|us"
    "|info|top|xyz|vip|example|app|ly|gl|tv|shop|site|club|link|gov|tw|hk|jp|kr)(?:[./]\\S*)?(?![\\w])"
)
_STOP: Final = re.compile("[。！？!?\n]|[.](?=\\s|$)")
_LINK: Final = re.compile(
    # between a name and its number: marks, and words that say "is"
    "[\\s:：=\\-\u2010-\u2015'\"“”‘’„「『【\\[\\](){}（）<>«»*•،。~]*"
    "(?:(?:is|are|was|为|為|是|係|系|es|e|est|lautet|ist|la|adalah|ialah|คือ|هو|هي|است|は|は、|は「|는|은|है|הוא|הינו|olarak|это|no[.]?)?"
    "[\\s:：=\\-\u2010-\u2015'\"“”‘’„「『【\\[\\](){}（）<>«»*•،]*)"
)
_LOOSE_LINK: Final = re.compile("[^.!?。！？\n;；0]{0,32}?(?:[:：=]|\\s(?:is|are|es|e|est|ist|lautet|la|adalah|คือ|هو|est)\\s|คือ|は|는|은|为|是)[\\s'\"“「『\\[(<«*]*")
_IS_YOUR: Final = re.compile(
    "[\\s'\"”」』\\])>»*]*(?:is|are|es|e|est|ist|la|adalah|als|como|as|是|为|為|은|는|이|は|your|你的|您的|आपका|to|로|это|هو|-|\u2014|,|，|हा)"
)
_LOGIN: Final = any_of(
    branches(
        "verif|confirm|log[ -]?in|log[ -]?on|sign(?:ing)?[ -]?(?:in|on|up)|account|password|share|disclose|expire|valid|authoris|authoriz|minutes|never"
        "|entrar|acceder|ingres|acess|cuenta|conta|compart|connex|valider|compte|partage|communiqu|expir|anmeld|konto|teile|weiter|gultig|acced|condivid|comunic|scad"
        "|xac|chia se|dang nhap|masuk|bagikan|berikan|akun|berlaku|giris|hesab|paylas|gecerli|onay"
        "|登录|登錄|登入|注册|註冊|绑定|綁定|验证|驗證|泄露|洩露|告知|告诉|告訴|有效|本人|提供|分享|ログイン|教え|共有|有効|入力|本人|로그인|공유|알려|입력|유효|타인"
        "|вход|войти|сообщ|никому|действ|подтвер|подписа|регистр|تسجيل|دخول|تشارك|صالح|ورود|ندهيد|معتبر|حساب|כניסה|לשתף|תקף|להתחבר|אימות|เข้าสู่|ยืนยัน|บอก|หมดอายุ|ใช้ได้|लॉगिन|साझा|शेयर|बताएं|मान्य"
    )
)
_CASINO: Final = any_of(
    branches(
        "彩金|棋牌|博彩|下注|娱乐城|娛樂城|上下分|首充|百家乐|体育投注|中奖|casino|jackpot|free spins|slot|gacor|바카라|카지노|토토|カジノ|казино|фриспин|nha cai|บาคาร่า|สล็อต|bahis|كازينو|كاзино|קזינו|कैसीनो|كازينو"
    )
)
_UNSUBSCRIBE: Final = any_of(
    branches(
        "退订|退訂|拒收|回t|回n|stop to|reply stop|txt stop|text stop|opt[ -]?out|unsubscribe|수신거부|配信停止|отпис|iptal|لغو|stop au"
    )
)
_SIGNATURE_HEAD: Final = re.compile(
    "\\s*(?:<#>\\s*)?(?:【([^【】\n]{1,40})】|[\\[［]([^\\[\\]［］\n]{1,40})[\\]］]|〔([^〔〕\n]{1,40})〕|〖([^〖〗\n]{1,40})〗)"
)
_SIGNATURE_TAIL: Final = re.compile(
    "(?:【([^【】\n]{1,40})】|[\\[［]([^\\[\\]［］\n]{1,40})[\\]］]|〔([^〔〕\n]{1,40})〕|〖([^〖〗\n]{1,40})〗)\\s*$"
)
_CARRIER_TAG: Final = frozenset({"web발신", "국제발신", "국외발신", "광고"})
_HOST_LINE: Final = re.compile("(?:^|\n)@([a-z0-9-]+(?:[.][a-z0-9-]+)+)(?: [^\n]*)? ?#([0-9a-z]{4,10})(?: @\\S+)?\\s*$")
_APP_HASH: Final = re.compile("^\\s*<#>.*[\\s]([0-9a-z+/]{11})\\s*$", re.DOTALL)
_PREFIX_CHARS: Final = 72  # a feed's prefix is 20-70 characters; two for a decoding slip
_END: Final = re.compile("[。！？!?.)）】\\]~…]\\s*$")
_CODE_SENDER: Final = re.compile("otp|auth|verif|passcode|0fa|2fa|code|securit|验证|인증|認証")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a masked text tells by itself. Spans are places in the text that was read."""

    rule: str
    code: tuple[int, int] | None = None
    signature: tuple[int, int] | None = None
    host: tuple[int, int] | None = None


def excerpt(text: str) -> str:
    """The part of a text that is read: all of it, or its head and its tail."""
    if len(text) <= READ_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def names_codes(sender: str) -> bool:
    """Whether a normalised sender is called after what it sends: OTP, AUTHMSG, VERIFY."""
    return not sender.isdigit() and _CODE_SENDER.search(sender) is not None


def read(masked: str) -> Reading:
    """Reads a masked excerpt: the rule that decides, and the spans of code, signature and host.

    The rule is the one for a message whose sender is not a person (`weak`, not `weak-person`).
    """
    folded = fold(masked)
    if not masked.isascii():
        folded = mask(folded)  # native digits have become ASCII digits
    places = None if len(folded) == len(masked) else [*kept(masked), len(masked)]

    def span(start: int, end: int) -> tuple[int, int]:
        return (start, end) if places is None else (places[start], places[end - 1] + 1)

    signature = _find_signature(folded)
    host_line = _HOST_LINE.search(folded)
    rule, code = _decide(folded, signature, host_line)
    return Reading(
        rule,
        span(*code) if code else None,
        span(*signature) if signature else None,
        span(*host_line.span(1)) if host_line else None,
    )


def _find_signature(folded: str) -> tuple[int, int] | None:
    """The name in brackets at the head, else at the end; a carrier's tag or a number is none."""
    start = 0
    while found := _SIGNATURE_HEAD.match(folded, start):
        name = found[found.lastindex or 0].strip()
        if name not in _CARRIER_TAG and _is_name(name, found[0].lstrip()[0]):
            return found.span(found.lastindex or 0)
        start = found.end()
    if (found := _SIGNATURE_TAIL.search(folded)) and _is_name(
        found[found.lastindex or 0], found[0][0]
    ):
        return found.span(found.lastindex or 0)
    return None


def _is_name(name: str, bracket: str) -> bool:
    letters = any(letter.isalpha() for letter in name)
    return letters or (bracket == "【" and name.isdigit() and len(name) <= 5)  # 【12306】, 【360】


def _decide(
    folded: str, signature: tuple[int, int] | None, host_line: re.Match[str] | None
) -> tuple[str, tuple[int, int] | None]:
    """The rule for a folded, masked text, and the span of its code."""
    if host_line:
        number = next(_CODE.finditer(folded, 0, host_line.start()), None)
        return "host-line", number.span() if number else host_line.span(2)
    body = folded if signature is None else _blanked(folded, [signature])
    body = _blanked(body, [found.span() for found in _URL.finditer(body)]) if "." in body else body
    numbers = [
        found
        for found in _CODE.finditer(body)
        if not _UNIT.match(body, found.end())
        and not _MONEY.search(body, max(0, found.start() - 5), found.start())
    ] if "0" in body or _SPELLED.search(body) else []
    scripts = [script for script in _SCRIPTS if script.present(body)]
    words = sorted(word for script in scripts for word in script.words(body))
    best: tuple[str, tuple[int, int]] | None = None
    for number in numbers:
        rule = _owner(body, number, words)
        if rule and (best is None or RULES[rule].confidence > RULES[best[0]].confidence):
            best = rule, _code_span(number)
    if best and best[0] == "weak":
        if any(script.other_scene(body) for script in scripts):
            best = None
        elif _LOGIN.search(body):
            best = "weak-login", best[1]
    if best:
        if _CASINO.search(body) or (_UNSUBSCRIBE.search(body) and _URL.search(folded)):
            return "spam", None
        return best
    if _APP_HASH.match(folded) and numbers:
        return "app-hash", _code_span(numbers[0])
    if len(folded) <= _PREFIX_CHARS and not _END.search(folded):
        return _cut_off(body, words, signature, bool(numbers)), None
    return "nothing", None


_SPELLED: Final = re.compile("[零〇一二三四五六七八九]{4}")


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _code_span(number: re.Match[str]) -> tuple[int, int]:
    start, end = number.span()
    if number["letter"]:
        start += number[0].index("-") + 1
    return start, end


def _owner(body: str, number: re.Match[str], words: list[_Word]) -> str | None:
    """The rule by which the word that owns a number makes it a code, or None."""
    start, end = number.span()
    if number["mixed"] and _MONTH.fullmatch(number[0]):
        return None
    doubtful = not number["digits"] and not number["letter"]  # needs a link to its name
    left = [word for word in words if word[1] <= start]
    right = [word for word in words if word[0] >= end]
    if left:
        _, place, kind = left[-1]
        if start - place <= _NEAR and _LINK.fullmatch(body, place, start):
            return _named(kind, number)
    if right and not number["cut"]:
        first = not _LETTER.search(body, 0, start)  # the text begins with the number
        if first:
            right = [word for word in right if word[2] in (_Kind.NAMES, _Kind.WEAK)] or right
        place, _, kind = right[0]
        if place - end <= _AFTER and not _STOP.search(body, end, place):
            said = _IS_YOUR.match(body, end, place) is not None
            free = first or not left or _STOP.search(body, left[-1][1], start) is not None
            if said or (kind is _Kind.NAMES and free and not doubtful):
                if rule := _named(kind, number):
                    return rule
    for at, (_, place, kind) in enumerate(reversed(left)):
        if start - place > _FAR or _STOP.search(body, place, start) or number["cut"]:
            break
        linked = _LOOSE_LINK.fullmatch(body, place, start) is not None
        if kind is _Kind.NAMES and (linked or not doubtful):
            if at == 0 or _LINKED.search(body, place, start):
                return _named(kind, number)
        if kind is _Kind.WEAK and linked:
            return _named(kind, number)
        if kind is _Kind.DENIED or start - place <= _HOLDS:
            break
    return None


_NEAR: Final = 30  # characters between a name and the number that hangs on it
_AFTER: Final = 60  # ... and the name that follows it
_FAR: Final = 100  # ... within the same sentence
_HOLDS: Final = 4  # a name of something else so near has the number for sure
_LETTER: Final = re.compile("[^\\W\\d_]")
_LINKED: Final = re.compile("(?:[:：=]|\\s(?:is|es|e'?|est|ist|lautet|la|adalah|هو|est)|คือ|は|는|은|为|是)\\s*$")


def _named(kind: _Kind, number: re.Match[str]) -> str | None:
    if kind in (_Kind.NAMES, _Kind.WEAK) and number["letter"]:
        return "letter-code"
    return {_Kind.NAMES: "named", _Kind.WEAK: "weak"}.get(kind)


_CUT_NAMES: Final = tuple(
    sorted({"验证码", "校验码", "动态码", "动态密码", "驗證碼", "短信验证码", "認証コード", "認証番号", "인증번호",
     "verification code", "security code", "confirmation code", "authentication code", "login code", "one-time", "one time", "passcode",
     "codigo de verificacion", "codigo de seguridad", "codigo de verificacao", "code de verification", "codice di verifica",
     "sicherheitscode", "bestatigungscode", "ma xac nhan", "ma xac thuc", "รหัสยืนยัน", "kode verifikasi", "kode otp", "dogrulama kodu",
     "رمز التحقق", "كد تاييد", "קוד אימות", "код подтверждения", "ओटीपी", "सत्यापन कोड"})
)
_CUT: Final = tuple(
    name[:end]
    for name in _CUT_NAMES
    for end in range(1 if name > "\u3000" else min(6, len(name) - 1), len(name))
)
_LOGGING_IN: Final = re.compile("正在|登录|登錄|登入|注册|註冊|绑定|綁定|验证|驗證|校验|ログイン|로그인|log[ -]?in|sign[ -]?in|вход|입력")


def _cut_off(
    body: str,
    words: list[_Word],
    signature: tuple[int, int] | None,
    numbers: bool,
) -> str:
    """The rule for a short text that breaks off without an end."""
    named = [word for word in words if word[2] is _Kind.NAMES]
    if named and not numbers and len(body) - named[-1][1] <= 12:
        return "cut-off"
    if body.endswith(_CUT) and not numbers:
        return "cut-off"
    if numbers and _FIRST_CUT.search(body):
        return "cut-off"
    if signature and not numbers and len(body) <= 32 and _LOGGING_IN.search(body):
        return "cut-off-login"
    return "nothing"


_FIRST_CUT: Final = re.compile(
    "^\\W*(?:g-)?0{4,8}\\W?\\s?(?:is your|es tu|est votre|ist dein|e il tuo|e seu|la ma|adalah|是您的|是你的|为您的)[^.。!]*$"
)
