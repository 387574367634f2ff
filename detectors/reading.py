"""What a text tells by itself: the rule that decides, the place of its code, and the sender's name.

The idea: every number in a text belongs to the word that names it. Find the numbers that look like
a code, find the words that name numbers (`words.LANGUAGES`), give each number to the word nearest
to it, and look what kind of word that is. A pick-up number, a card's last digits and a phone number
have owners too; that is why they are not codes.

A text is read with its digits masked, so that all messages of one template are read once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.fold import fold, kept, mask
from detectors.rules import RULES
from detectors.words import LANGUAGES, Language

HEAD_CHARS: Final = 480
TAIL_CHARS: Final = 160
"""What is read of a longer text: its first and its last characters. Chosen: a code stands in the
first seven segments of 70, a host line or a signature at the end; whatever is sent, a text costs no
more than 640 characters do."""
READ_CHARS: Final = HEAD_CHARS + 1 + TAIL_CHARS  # with the line break that joins them

_DENIED, _NAMES, _OTHERS, _WEAK = range(4)


def _words(languages: Sequence[Language]) -> re.Pattern[str]:
    """One pattern over all words of some languages; the group that matched tells the kind."""
    kinds: list[list[str]] = [[], [], [], []]
    for row in languages:
        edge = "(?<![^\\W\\d_])", "(?![^\\W\\d_])"
        before, after = edge if row.words_apart else ("", "")
        for kind, fragments in zip(
            kinds, (row.denied, row.names, row.others, row.weak), strict=True
        ):
            spaced = (fragment.replace(" ", "\\s*") for fragment in fragments)
            kind.append(f"{before}(?:{'|'.join(spaced)}){after}")
    denied, names, others, weak = ("|".join(kind) for kind in kinds)
    return re.compile(f"((?:{denied})(?!\\W{{0,3}}0))|({names})|({others})|({weak})")


def _scene(languages: Sequence[Language]) -> re.Pattern[str]:
    parts = []
    for row in languages:
        words = "|".join(fragment.replace(" ", "\\s*") for fragment in row.scene)
        edged = f"(?<![^\\W\\d_])(?:{words})(?![^\\W\\d_])"
        parts.append(edged if row.words_apart else words)
    return re.compile("|".join(parts))


_SCRIPTS: Final = (
    (re.compile("[\u3040-\u30ff\u4e00-\u9fff]"), ("zh", "ja")),
    (re.compile("[\uac00-\ud7af]"), ("ko",)),
    (re.compile("[\u0400-\u04ff]"), ("ru",)),
    (re.compile("[\u0600-\u06ff]"), ("ar", "fa")),
    (re.compile("[\u0590-\u05ff]"), ("he",)),
    (re.compile("[\u0e00-\u0e7f]"), ("th",)),
    (re.compile("[\u0900-\u097f]"), ("hi",)),
    (re.compile("[a-z]{2}"), ("en", "es", "pt", "fr", "de", "it", "vi", "id", "tr")),
)
_BY_CODE: Final = {row.lang: row for row in LANGUAGES}
_READERS: Final = tuple(
    (script, _words([_BY_CODE[lang] for lang in langs]), _scene([_BY_CODE[lang] for lang in langs]))
    for script, langs in _SCRIPTS
)

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
    "https?://\\S+|(?<![@\\w])[a-z0-9][a-z0-9.-]*[.](?:com|cn|net|org|io|cc|co|me|ru|br|de|fr|it|in|id|tr|vn|th|il|ir|ae|uk|us"
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
_LOGIN: Final = re.compile(
    "verif|confirm|log[ -]?in|log[ -]?on|sign(?:ing)?[ -]?(?:in|on|up)|account|password|share|disclose|expire|valid|authoris|authoriz|minutes|never"
    "|entrar|acceder|ingres|acess|cuenta|conta|compart|connex|valider|compte|partage|communiqu|expir|anmeld|konto|teile|weiter|gultig|acced|condivid|comunic|scad"
    "|xac|chia se|dang nhap|masuk|bagikan|berikan|akun|berlaku|giris|hesab|paylas|gecerli|onay"
    "|登录|登錄|登入|注册|註冊|绑定|綁定|验证|驗證|泄露|洩露|告知|告诉|告訴|有效|本人|提供|分享|ログイン|教え|共有|有効|入力|本人|로그인|공유|알려|입력|유효|타인"
    "|вход|войти|сообщ|никому|действ|подтвер|подписа|регистр|تسجيل|دخول|تشارك|صالح|ورود|ندهيد|معتبر|حساب|כניסה|לשתף|תקף|להתחבר|אימות|เข้าสู่|ยืนยัน|บอก|หมดอายุ|ใช้ได้|लॉगिन|साझा|शेयर|बताएं|मान्य"
)
_CASINO: Final = re.compile(
    "彩金|棋牌|博彩|下注|娱乐城|娛樂城|上下分|首充|百家乐|体育投注|中奖|casino|jackpot|free spins|slot|gacor|바카라|카지노|토토|カジノ|казино|фриспин|nha cai|บาคาร่า|สล็อต|bahis|كازينو|كاзино|קזינו|कैसीनो|كازينو"
)
_UNSUBSCRIBE: Final = re.compile(
    "退订|退訂|拒收|回t|回n|stop to|reply stop|txt stop|text stop|opt[ -]?out|unsubscribe|수신거부|配信停止|отпис|iptal|لغو|stop au"
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
    words = []
    scenes = []
    for script, reader, scene in _READERS:
        if script.search(body):
            words += [(found.start(), found.end(), found.lastindex) for found in reader.finditer(body)]
            scenes.append(scene)
    words.sort()
    if any(kind != _OTHERS + 1 for _, _, kind in words):
        best: tuple[str, tuple[int, int]] | None = None
        for number in numbers:
            rule = _owner(body, number, words)
            if rule and (best is None or RULES[rule].confidence > RULES[best[0]].confidence):
                best = rule, _code_span(number)
        if best and best[0] == "weak":
            if any(scene.search(body) for scene in scenes):
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
        text = text[:start] + "_" * (end - start) + text[end:]
    return text


def _code_span(number: re.Match[str]) -> tuple[int, int]:
    start, end = number.span()
    if number["letter"]:
        start += number[0].index("-") + 1
    return start, end


def _owner(
    body: str, number: re.Match[str], words: list[tuple[int, int, int | None]]
) -> str | None:
    """The rule by which the word that owns a number makes it a code, or None."""
    left = right = None
    for word in words:
        if word[1] <= number.start():
            left = word
        elif word[0] >= number.end():
            right = word
            break
    mixed = number["mixed"] is not None or number["spelled"] is not None or bool(number["cut"])
    if mixed and number["mixed"] and _MONTH.fullmatch(number[0]):
        return None
    if left:
        between = body[left[1] : number.start()]
        if len(between) <= _NEAR and (_LINK.fullmatch(between)):
            return _named(left[2], number)
    if right:
        between = body[number.end() : right[0]]
        if len(between) <= 60 and not _STOP.search(between):
            if right[2] == _NAMES + 1 and not mixed and (
                left is None or left[2] != _OTHERS + 1 or _STOP.search(body, left[1], number.start()) or _IS_YOUR.match(between)
            ):
                if not (left and left[2] == _NAMES + 1 and number.start() - left[1] < len(between)):
                    return _named(right[2], number)
            if right[2] in (_NAMES + 1, _WEAK + 1) and _IS_YOUR.match(between):
                return _named(right[2], number)
    if left and not number["cut"]:
        between = body[left[1] : number.start()]
        if len(between) <= _FAR:
            if left[2] == _WEAK + 1 and _LOOSE_LINK.fullmatch(between):
                return "weak"
            if left[2] == _NAMES + 1 and (not mixed or _LOOSE_LINK.fullmatch(between)):
                return "named"
    return None


_NEAR: Final = 30
_FAR: Final = 100


def _named(kind: int | None, number: re.Match[str]) -> str | None:
    if kind == _NAMES + 1:
        return "letter-code" if number["letter"] else "named"
    if kind == _WEAK + 1:
        return "letter-code" if number["letter"] else "weak"
    return None


_CUT_NAMES: Final = tuple(
    sorted({"验证码", "校验码", "动态码", "动态密码", "驗證碼", "短信验证码", "認証コード", "認証番号", "인증번호",
     "verification code", "security code", "confirmation code", "authentication code", "login code", "one-time", "one time", "passcode",
     "codigo de verificacion", "codigo de seguridad", "codigo de verificacao", "code de verification", "codice di verifica",
     "sicherheitscode", "bestatigungscode", "ma xac nhan", "ma xac thuc", "รหัสยืนยัน", "kode verifikasi", "kode otp", "dogrulama kodu",
     "رمز التحقق", "كد تاييد", "קוד אימות", "код подтверждения", "ओटीपी", "सत्यापन कोड"})
)
_CUT: Final = re.compile(
    "(?:" + "|".join(
        "|".join(re.escape(name[:end]) for end in range(len(name), (0 if name > "\u3000" else min(6, len(name) - 1)), -1))
        for name in _CUT_NAMES
    ) + ")$"
)
_LOGGING_IN: Final = re.compile("正在|登录|登錄|登入|注册|註冊|绑定|綁定|验证|驗證|校验|ログイン|로그인|log[ -]?in|sign[ -]?in|вход|입력")


def _cut_off(
    body: str,
    words: list[tuple[int, int, int | None]],
    signature: tuple[int, int] | None,
    numbers: bool,
) -> str:
    """The rule for a short text that breaks off without an end."""
    named = [word for word in words if word[2] == _NAMES + 1]
    if named and not numbers and len(body) - named[-1][1] <= 12:
        return "cut-off"
    if _CUT.search(body) and not numbers:
        return "cut-off"
    if numbers and _FIRST_CUT.search(body):
        return "cut-off"
    if signature and not numbers and len(body) <= 32 and _LOGGING_IN.search(body):
        return "cut-off-login"
    return "nothing"


_FIRST_CUT: Final = re.compile(
    "^\\W*(?:g-)?0{4,8}\\W?\\s?(?:is your|es tu|est votre|ist dein|e il tuo|e seu|la ma|adalah|是您的|是你的|为您的)[^.。!]*$"
)
