"""What a text tells by itself: the rule that decides, the place of its code, and the sender's name.

The idea: every number in a text belongs to the word that names it. Find the numbers that look like
a code (`shapes`), find the words that name numbers (`words`), give each number to the word nearest
to it, and look what kind of word that is. A pick-up number, a card's last digits and a phone number
have owners too; that is why they are not codes.

A text is read with its digits masked, so that all messages of one template are read once.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from detectors.fold import fold, kept, mask
from detectors.lexicon import any_of, branches
from detectors.rules import RULES
from detectors.shapes import (
    HOST_LINE,
    Form,
    Number,
    app_hash,
    has_link,
    numbers,
    signature_span,
    without_links,
)
from detectors.words import LANGUAGES

HEAD_CHARS: Final = 400
TAIL_CHARS: Final = 100
"""What is read of a longer text: its first and its last characters. Chosen: a code stands in the
first six segments of 70, a host line or a signature at the end; whatever is sent, a text costs no
more than 501 characters do."""
READ_CHARS: Final = HEAD_CHARS + 1 + TAIL_CHARS  # with the line break that joins them

WORDS_MAX: Final = 32
"""Words taken from a text in each script. Chosen: twice what a long text holds."""

# Distances in characters, chosen so that the training texts come out right; domain knowledge says
# 30 in Chinese, 50-100 elsewhere.
_LINKED: Final = 30  # between a name and a number with nothing but a link between
_BEFORE: Final = 100  # between a name and a later number of the same sentence
_AFTER: Final = 60  # between a number and a later name of the same sentence
_HELD: Final = 4  # a name of something else so near has the number for sure
_HELD_LOOSELY: Final = 8  # the same with no link to the number
_PREFIX_CHARS: Final = 72  # a feed's prefix is 20-70 characters; two for a decoding slip
_CUT_CHARS: Final = 12  # after a name, before the place where a prefix breaks off
_SIGNATURE_PREFIX_CHARS: Final = 24  # a prefix of 20 characters and some to spare


class Reading(NamedTuple):
    """What a masked text tells by itself. Spans are places in the text that was read."""

    rule: str  # of RULES; as for a sender who is no person
    code: tuple[int, int] | None = None
    signature: tuple[int, int] | None = None
    host: tuple[int, int] | None = None


def excerpt(text: str) -> str:
    """The part of a text that is read: all of it, or its head and its tail."""
    if len(text) <= READ_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def read(masked: str) -> Reading:
    """Reads a masked excerpt.

    >>> read(mask("【淘宝】验证码482913，请勿泄露"))
    Reading(rule='named', code=(7, 13), signature=(1, 3), host=None)
    """
    folded = fold(masked)
    if not masked.isascii():
        folded = mask(folded)  # native digits have become ASCII digits
    signature = signature_span(folded)
    host_line = HOST_LINE.search(folded) if "@" in folded else None
    rule, code = _decide(folded, signature, host_line)
    host = host_line.span(1) if host_line else None
    if len(folded) == len(masked):
        return Reading(rule, code, signature, host)
    places = kept(masked)

    def unfolded(span: tuple[int, int] | None) -> tuple[int, int] | None:
        return span and (places[span[0]], places[span[1] - 1] + 1)

    return Reading(rule, unfolded(code), unfolded(signature), unfolded(host))


class _Kind(Enum):
    """What a word says of the number that it names; see `words`."""

    DENIED = "denied"
    NAMES = "names"
    OTHERS = "others"
    WEAK = "weak"


_NAMING: Final = (_Kind.NAMES, _Kind.WEAK)


class _Word(NamedTuple):
    start: int
    end: int
    kind: _Kind


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


class _Script:
    """The languages of one script: finds their words in a text."""

    def __init__(
        self, letters: str, *langs: str, letter: str = "[^\\W\\d_]", prefix: str = ""
    ) -> None:
        rows = [row for row in LANGUAGES if row.lang in langs]
        apart = all(row.apart for row in rows)
        edges = (f"(?<!{letter}){prefix}", f"(?!{letter})") if apart else ("", "")

        def words(*fields: str) -> list[str]:
            return [word for row in rows for field in fields for word in getattr(row, field)]

        self._letters = re.compile(f"[{letters}]")
        self._blocks = {
            block
            for first, last in zip(letters[::3], letters[2::3], strict=True)
            for block in range(ord(first) >> 8, (ord(last) >> 8) + 1)
        }
        named = {kind: words(kind.value) for kind in _Kind}
        named[_Kind.DENIED] += words("needless")
        self._kinds = [(kind, any_of(named[kind], *edges)) for kind in _Kind]
        self._any = any_of([word for kind in _Kind for word in named[kind]], *edges)
        self._names = dict(self._kinds)[_Kind.NAMES]
        self._scene = any_of(words("scene", "needless"), *edges)
        self._hand = any_of(words("hand"), *edges)
        self._tell = any_of(words("tell"), *edges)
        self._purpose = any_of(words("purpose"), edges[0])
        self._secret = any_of(words("secret"), edges[0])
        self._field = any_of(words("field"), edges[0])

    def present(self, text: str, blocks: set[int]) -> bool:
        """Whether a text with characters of these blocks of 256 has letters of the script."""
        return not self._blocks.isdisjoint(blocks) and self._letters.search(text) is not None

    def words(self, text: str) -> list[_Word]:
        """The words of a text in order, without overlaps; of two that begin alike the longer."""
        found: list[_Word] = []
        place = 0
        while len(found) < WORDS_MAX and (match := self._any.search(text, place)):
            start, longest = match.span()
            place = start + 1
            kind = None
            for each, words in self._kinds:
                end = _end(words.match(text, start))
                if end < place or (each is _Kind.DENIED and _NUMBER_NEXT.match(text, end)):
                    continue
                if kind is None or end > place:
                    place, kind = end, each
                if place >= longest:
                    break
            if kind:
                found.append(_Word(start, place, kind))
        return found

    def last_name(self, text: str) -> int:
        """Where the last name for a code ends; 0 if there is none."""
        if not self._names.search(text):  # of most texts that is all
            return 0
        return max((word.end for word in self.words(text) if word.kind is _Kind.NAMES), default=0)

    def other_scene(self, text: str) -> bool:
        return self._scene.search(text) is not None

    def cues(self, text: str) -> tuple[bool, bool]:
        """Whether the text tells what a code is for, and how it is to be kept."""
        return self._purpose.search(text) is not None, self._secret.search(text) is not None

    def typed(self, text: str) -> bool:
        return self._field.search(text) is not None

    def handed(self, text: str) -> bool:
        return self._hand.search(text) is not None

    def told(self, text: str) -> bool:
        return self._tell.search(text) is not None


_NUMBER_NEXT: Final = re.compile(  # "Never share your code 482913" names it
    "\\W{0,3}0{4}|[^.!?,，。！？\n0]{0,40}[:：]\\s?(?:0{3}|[a-z]{0,6}0)"
)
_LATIN: Final = _Script(
    "a-z", "en", "es", "pt", "fr", "de", "it", "vi", "id", "tr", letter="[a-zß]"
)
_SCRIPTS: Final = (
    _Script("\u3040-\u30ff\u4e00-\u9fff", "zh", "ja"),
    _Script("\uac00-\ud7af", "ko"),
    _Script("\u0400-\u04ff", "ru"),
    _Script("\u0600-\u06ff", "ar", "fa", prefix="[وبلفك]?(?:ال|ل)?"),
    _Script("\u0590-\u05ff", "he", prefix="[ושבלכמה]{0,3}?"),
    _Script("\u0e00-\u0e7f", "th"),
    _Script("\u0900-\u097f", "hi"),
    _LATIN,
)


def _scripts(text: str) -> list[_Script]:
    """The scripts that a text is written in."""
    if text.isascii():
        return [_LATIN] if _LATIN.present(text, {0}) else []
    blocks = set(text.encode("utf-16-le", "surrogatepass")[1::2])
    return [script for script in _SCRIPTS if script.present(text, blocks)]


def _all(field: str) -> list[str]:
    return [word for row in LANGUAGES for word in getattr(row, field)]


_SPAM: Final = any_of(_all("spam"))
_LEAVE: Final = any_of(_all("leave"))
_SAYS: Final = any_of(_all("says")).pattern
_GENDER: Final = "(?:/[^\\W\\d_]{1,3}|[(][^\\W\\d_]{1,3}[)])?"  # "הזן/י", "introduza(m)"
_MARKS: Final = "[\\s:：=\u2010-\u2015'\"“”‘’„「」『』【】\\[\\](){}（）<>«»*•،。~☞→➜➡▶↓←-]{0,12}"
_LINK: Final = re.compile(f"{_GENDER}{_MARKS}(?:{_SAYS})?{_MARKS}")
_LOOSE_LINK: Final = re.compile(
    f"[^.!?。！？\n;；0]{{0,32}}?(?:[:：=]|(?<![a-z])(?:{_SAYS})(?![a-z]))[\\s'\"“「『\\[(<«*]{{0,4}}"
)
_AMOUNT_LINK: Final = re.compile(  # "code to withdraw 250 USDT: 470916"
    "[^.!?。！？\n;；0]{0,32}?(?<![0-9])0{1,3}(?:[,. ]0{3}){0,2}(?:[.,]00)?"
    "[^.!?。！？\n;；0]{0,16}[:：]\\s?"
)
_PHRASE: Final = re.compile("[^.,!?:;。，、！？：；\n0]{0,48}")  # "OTP to enter the room"
_OBJECT_LINK: Final = re.compile("\\s(?:[^\\W\\d_]{1,6}\\s){0,2}")  # "code for your account"
_OBJECT: Final = any_of(_all("object"))
_OF_PHRASE: Final = re.compile(  # "PIN for your account: 482913"
    f"(?:\\s[^\\W\\d_]{{1,14}}){{0,3}}\\s?(?:[:：=]|(?<![a-z])(?:{_SAYS})(?![a-z]))\\s?(?:0{{3}}|[0a-z]{{0,8}}0)"
)
_FOR_WHOM: Final = re.compile("(?:\\s[^\\W\\d_]{1,14}){1,2}\\s")
_OWN_NUMBER: Final = re.compile(
    f"{_GENDER}{_MARKS}(?:{_SAYS})?{_MARKS}(?<![0-9a-z])"
    "(?:0{4}|0{3}[ -]0{3}|(?=[a-z]{0,8}0)[0a-z]{4,9})"
)
_LINK_END: Final = re.compile(f"(?:[:：=☞→➜➡▶↓]|(?<![a-z])(?:{_SAYS}))\\s?$")
_IS_YOURS: Final = re.compile(
    f"[\\s'\"”」』\\])>»*]{{0,4}}(?:{_SAYS}|your|to|como|你的|您的|आपका|로|[,，\u2014-])"
)
_CUT_YOURS: Final = re.compile(
    f"\\s?(?:{_SAYS})\\s?(?:your|tu|votre|dein|ihr|il tuo|seu|你的|您的)?[^.。!]*$"
)
_STOP: Final = re.compile("[。！？!?\n]|[.](?=\\s|$)")
_LETTER: Final = re.compile("[^\\W\\d_]")
_END: Final = re.compile("[。！？!?.)）】\\]~…]\\s?$")
_CUT_NAMES: Final = tuple(
    edge + name[:end]
    for name in _all("common")
    for edge, shortest in [("", 1) if name > "\u3000" else (" ", 5)]
    for end in range(shortest, len(name))
    if name[end] != " "  # a whole word is no break
)
_WHOLE: Final = re.compile("[移流活运運自][动動]$")  # 中国移动 is no beginning of 动态码
_WARNING: Final = any_of(  # of criminals who ask for codes: the number is where to report them
    branches(
        "冒充|诈骗|詐騙|假冒|警惕|谨防|慎防|詐欺|なりすま|사칭|보이스피싱|fraudster|scam|phishing|criminal"
        "|estaf|fraude|golpe|arnaque|betrug|truff|lua dao|มิจฉาชีพ|penipu|dolandir|мошенник"
        "|احتيال|محتال|كلاهبردار|הונא|מתחז|धोखा|ठग"
    )
)
_LOGGING_IN: Final = any_of(branches("正在|ログイン|로그인|log[ -]?in|sign[ -]?in|вход"))
_PERCENT: Final = re.compile("0\\s?%|%\\s?0")  # an offer
_TELLING: Final = any_of(  # of codes that come in another message
    branches("sent|send|text|receive|request|发送|發送|获取|獲取|收到|接收|索取|透露|отправ|envia")
)
_FIRST: Final = re.compile(  # "Acme: 482913", "(Acme) 482913"
    "\\W{0,8}(?:[^\\W\\d_][\\w .&'-]{0,20}[:：)])?\\W{0,8}"
)
_BRAND: Final = re.compile("\\W{0,8}(?:[^\\W\\d_]{1,15}\\s){1,2}")  # "Acme Pay 482913 approves ..."
_WORDY: Final = re.compile("\\w")
_SPENT: Final = re.compile("0|[。！？!?\n]|[.](?=\\s)")  # another number in between, or an end
_BY: Final = any_of(_all("by"), "(?<![a-z])", "(?![a-z])").pattern
_BY_BEFORE: Final = re.compile(f"{_BY}\\s?['\"«“「]?$")
_BY_AFTER: Final = re.compile(f"['’\"»”」]?\\s?{_BY}")
_BY_CHARS: Final = 24
_LURE: Final = re.compile("[a-z]{4,}0+|[a-z]{3,}00")  # GREEN20 is for a till
_SHOP: Final = re.compile("[a-z]{2,}0{2,}")
_SIGNS: Final = re.compile("[a-z][^ ]{0,10}[#$@!&_]|[#$@!&_][^ ]{0,10}[a-z]")  # bib#62k
_ASKS: Final = re.compile("[?？]")  # people ask each other
_ASKED: Final = re.compile("[?？؟]\\s{1,2}$")  # "Not you? 0800 0000": whom to call
_BRACKET: Final = re.compile("[(（][^()（）0]{2,24}$")  # "(file 20418)": a reference
_CLOSED: Final = re.compile("\\s?[)）]")
_OF_ANOTHER: Final = re.compile("0\\s?$")  # a word behind its own number: "000 ريال"
_LEET: Final = re.compile("[a-z]+0[a-z]{3,}")  # b0nus
_TICKET: Final = re.compile("[a-z]-?0{2,3}")  # A112 is called up at a counter
_PRICE: Final = re.compile(
    "[$€£¥₩₽₹฿₫₪]\\s?0|(?<![a-z])(?:rs[.]?|rp)\\s?0|0(?:[.]-|\\s?(?:[$€£₽₹₪฿₫đ元円원]|บาท|ريال|تومان"
    "|ש[\"״'׳]ח|(?:tl|eur|d|р)(?![^\\W\\d_])))"
)
_INTRODUCED: Final = re.compile("[:：=>☞→➜➡▶↓»«“\"'「『(（\\[—–-]\\s?$")
_POINTS: Final = 3  # cues that make a number a code
_CUES_IN_A_SCENE: Final = 2  # cues that tell a weak name's code in a text of parcels or prices
_OF_LETTERS: Final = 40  # characters between a name and a code of letters and digits
_CODE_SENDER: Final = re.compile("otp|auth|verif|passcode|2fa|code|securit|验证|인증|認証")

_Decision = tuple[str, tuple[int, int] | None]  # rule, span of the code


def names_codes(sender: str) -> bool:
    """Whether a normalised sender is called after what it sends: OTP, AUTHMSG, VERIFY."""
    return not sender.isdigit() and _CODE_SENDER.search(sender) is not None


def _decide(
    folded: str, signature: tuple[int, int] | None, host_line: re.Match[str] | None
) -> _Decision:
    """The rule for a folded, masked text, and the place of its code."""
    body = folded
    if signature:
        start, end = signature
        body = f"{folded[:start]}{' ' * (end - start)}{folded[end:]}"
    if host_line:
        found = numbers(body[: host_line.start()])
        return "host-line", (found[0].code, found[0].end) if found else host_line.span(2)
    body = without_links(body)
    hashed = app_hash(folded)
    if hashed is not None:
        body = body[:hashed]
    found = numbers(body)
    short = len(folded) <= _PREFIX_CHARS and not _END.search(folded)
    if not (found or short):
        return "nothing", None
    scripts = _scripts(body)
    code = _code(folded, body, found, scripts, hashed=hashed is not None) if found else None
    if code is None and short:
        code = _cut_off(body, found, scripts, signed=signature is not None)
    return code or ("nothing", None)


def _code(
    folded: str, body: str, found: list[Number], scripts: list[_Script], *, hashed: bool
) -> _Decision | None:
    """The rule for a text by the words that own its numbers; None if none of them is a code."""
    words = [word for script in scripts for word in script.words(body)]
    words = _without_objects(body, sorted(words))
    owned = _owned(body, found, words)
    if hashed:
        number = owned[0][1] if owned else found[0]
        return "app-hash", (number.code, number.end)
    if not owned:
        owned = _supported(body, found, words, scripts)
    if not owned:
        return None
    rule, number = max(owned, key=lambda pair: RULES[pair[0]].confidence)
    if _handed_over(body, number, scripts):
        return "nothing", None
    if rule == "named" and number.form is Form.MIXED and _of_another(body, number, words, scripts):
        return "nothing", None
    if rule == "weak":
        rule = _weak(body, number, scripts)
        if rule == "nothing":
            return rule, None
    if _SPAM.search(body):
        return "spam", None
    if (
        _LEAVE.search(body)
        and (rule != "named" or has_link(folded))
        and not (_kept(body, number, scripts) and not _other_scene(body, number, scripts))
    ):
        return "spam", None
    return rule, (number.code, number.end)


def _weak(body: str, number: Number, scripts: list[_Script]) -> str:
    """The rule for a number that hangs on a weak name."""
    _, end = _sentence(body, number)
    if _ASKS.match(body, end):
        return "nothing"
    cues = sum(_cues(body, scripts))
    odd = number.form is Form.ODD and not cues
    if odd or _TICKET.fullmatch(body, number.start, number.end):
        return "nothing"
    told = cues >= _CUES_IN_A_SCENE and number.sure and not _PERCENT.search(body)
    if not told and (_other_scene(body, number, scripts) or _offer(body, number, scripts)):
        return "nothing"
    return "weak-login" if cues else "weak"


def _kept(body: str, number: Number, scripts: list[_Script]) -> bool:
    """Whether a text tells to keep its number, or where to type it in; no advertising does."""
    if number.form is not Form.DASHED and not number.sure:
        return False
    start, end = _sentence(body, number)
    return _cues(body, scripts)[1] or _typed(body[start:end], scripts)


def _owned(body: str, found: list[Number], words: list[_Word]) -> list[tuple[str, Number]]:
    """The numbers that are codes by the words that own them, up to the first that surely is."""
    owned: list[tuple[str, Number]] = []
    for number in sorted(found, key=lambda number: number.form is Form.ODD):
        if owned and number.form is Form.ODD:
            break
        if rule := _rule(body, number, words):
            owned.append((rule, number))
            if rule != "weak":
                break
    return owned


def _without_objects(body: str, words: list[_Word]) -> list[_Word]:
    """The words but for those that only tell what a code is for: "PIN for your account: 0000"."""
    kept_words: list[_Word] = []
    for word in words:
        last = kept_words[-1] if kept_words else None
        if word.kind is _Kind.OTHERS and last and last.kind in _NAMING:
            if last.kind is _Kind.NAMES and _OBJECT_LINK.fullmatch(body, last.end, word.start):
                continue
            if (
                _OBJECT.fullmatch(body, word.start, word.end)
                and _PHRASE.fullmatch(body, last.end, word.start)
                and _OF_PHRASE.match(body, word.end)
            ):
                continue
        kept_words.append(word)
    return kept_words


def _cues(body: str, scripts: list[_Script]) -> tuple[bool, bool]:
    """Whether a text tells what a code is for, and how it is to be kept."""
    told = [script.cues(body) for script in scripts]
    return any(purpose for purpose, _ in told), any(secret for _, secret in told)


def _of_another(body: str, number: Number, words: list[_Word], scripts: list[_Script]) -> bool:
    """Whether letters and digits confirm a flight or a booking, by no cue but their name."""
    for word in words:
        if word.kind is _Kind.NAMES:
            body = f"{body[: word.start]}{' ' * (word.end - word.start)}{body[word.end :]}"
    return not any(_cues(body, scripts)) and _other_scene(body, number, scripts)


def _lure(body: str, number: Number) -> bool:
    """Whether a number is a word with digits behind it, as shops give them: KFC1010."""
    return number.form is Form.MIXED and _SHOP.fullmatch(body, number.start, number.end) is not None


def _offer(body: str, number: Number, scripts: list[_Script]) -> bool:
    """Whether a number is such a word beside a price, and nobody is to keep it."""
    return _lure(body, number) and _PRICE.search(body) is not None and not _cues(body, scripts)[1]


def _other_scene(body: str, number: Number, scripts: list[_Script]) -> bool:
    """Whether a weak name is likely to name something else: by what a text tells of parcels, shops.

    A sentence that tells to keep the code does not count: "not even to your driver". Nor does the
    rest of the text where the number's own sentence tells what the code is for, unless the number
    is such as shops give; nor how to unsubscribe where the text tells to keep the code.
    """
    if _PERCENT.search(body):
        return True
    if _cues(body, scripts)[1]:
        body = _LEAVE.sub(lambda found: "_" * len(found[0]), body)
    if not any(script.other_scene(body) for script in scripts):
        return False
    start, end = _sentence(body, number)
    own = body[start:end]
    if any(script.other_scene(own) for script in scripts):
        return True
    if _cues(own, scripts)[0] and not _lure(body, number):
        return False
    rest = [*_STOP.split(body[:start]), *_STOP.split(body[end:])]
    return any(
        any(script.other_scene(part) for script in scripts) and not _cues(part, scripts)[1]
        for part in rest
    )


def _sentence(body: str, number: Number) -> tuple[int, int]:
    """The place of the sentence, or the line, that holds a number."""
    start = max((stop.end() for stop in _STOP.finditer(body, 0, number.start)), default=0)
    stop = _STOP.search(body, number.end)
    return start, stop.start() if stop else len(body)


def _handed_over(body: str, number: Number, scripts: list[_Script]) -> bool:
    """Whether a number is told to a courier or shown at a till, by the sentence that holds it.

    Where that sentence tells what a code is for or how to keep it, it has to say "tell" too.
    """
    start, end = _sentence(body, number)
    sentence = body[start:end]
    return any(script.handed(sentence) for script in scripts) and (
        any(script.told(sentence) for script in scripts)
        or not any(any(script.cues(sentence)) for script in scripts)
    )


def _supported(
    body: str, found: list[Number], words: list[_Word], scripts: list[_Script]
) -> list[tuple[str, Number]]:
    """The number that no word names outright but that several cues support; empty if none is.

    A name for codes nearby counts two, a weak name one; what a code is for, how it is to be kept,
    where it is to be typed in count one each, and so does one of these: "is", a line of its own,
    the first place in the text, a colon behind what it is for. That something is to be confirmed
    with the number counts two. Three make a code; for a weak name in another scene it takes five.
    What a warning of criminals tells of keeping codes does not count.
    """
    naming = [word for word in words if word.kind in _NAMING]
    likely: list[tuple[int, bool, Number]] = []
    for number in found:
        if number.form in (Form.CUT, Form.ODD, Form.SPELLED) or _held(body, number, words):
            continue
        if number.form is Form.MIXED and _LEET.fullmatch(body, number.start, number.end):
            continue
        start, end = _sentence(body, number)
        if _ASKS.match(body, end):
            continue
        first = _FIRST.fullmatch(body, 0, number.start) is not None or (
            not _WORDY.search(body, start, number.start)
            and not _WORDY.search(body, number.end, end)
        )
        if number.sure and _BRAND.fullmatch(body, 0, number.start):
            first = _cues(body[number.end : end], scripts)[0]
        typed = _of_digits(body, number) and _typed(body[start:end], scripts)
        by = _by(body, number) and (typed or _cues(body[start:end], scripts)[0])
        if not (first or by or typed or _placed(body, number, naming, start, end)):
            continue
        near = [word for word in naming if -_BEFORE < word.start - number.end < _BEFORE]
        named = any(word.kind is _Kind.NAMES for word in near)
        points = 2 * named + bool(near and not named)
        points += typed + (
            2 * by
            or first
            or _introduced(body, number, naming, start)
            or _led(body[start : number.start], scripts)
        )
        likely.append((points, named, number))
    if not likely:
        return []
    purpose, secret = _cues(body, scripts)
    cues = purpose + (secret and not _WARNING.search(body))
    points, named, number = max(likely, key=lambda row: row[0])
    points += cues
    if points >= _POINTS and not named:
        points -= 2 * _other_scene(body, number, scripts)
    return [("supported", number)] if points >= _POINTS else []


def _of_digits(body: str, number: Number) -> bool:
    """Whether a number has no letters and a code's shape: 482913, 62 75 18."""
    paired = number.form is Form.DASHED and not _LETTER.search(body, number.start, number.end)
    return number.sure or paired


def _typed(sentence: str, scripts: list[_Script]) -> bool:
    """Whether a sentence tells where something is to be typed in."""
    return any(script.typed(sentence) for script in scripts)


def _led(lead: str, scripts: list[_Script]) -> bool:
    """Whether what leads to a number tells what it is for and ends in a colon: "To pay: 482913"."""
    return _INTRODUCED.search(lead) is not None and _cues(lead, scripts)[0]


def _by(body: str, number: Number) -> bool:
    """Whether something is done with a number: "Confirm the new phone with 7FQ2K"."""
    if number.form is Form.MIXED and _LURE.match(body, number.start, number.end):
        return False
    return (
        _BY_BEFORE.search(body, max(0, number.start - _BY_CHARS), number.start) is not None
        or _BY_AFTER.match(body, number.end) is not None
    )


def _introduced(body: str, number: Number, naming: list[_Word], start: int) -> bool:
    """Whether a name leads to a number: by "is", or with only whose code it is in between."""
    before = [word for word in naming if start <= word.start and word.end <= number.start]
    return bool(before) and (
        _FOR_WHOM.fullmatch(body, before[-1].end, number.start) is not None
        or _LINK_END.search(body, before[-1].end, number.start) is not None
    )


def _held(body: str, number: Number, words: list[_Word]) -> bool:
    """Whether a number is something else's: by a word in front of it with no other, or behind it.

    Also behind a question, which tells whom to call, and in brackets with what it refers to.
    """
    if _ASKED.search(body, max(0, number.start - 4), number.start):
        return True
    bracket = _BRACKET.search(body, max(0, number.start - _LINKED), number.start)
    if bracket and _CLOSED.match(body, number.end):
        inside = [word for word in words if bracket.start() <= word.start < number.start]
        return all(word.kind not in _NAMING for word in inside)
    before = [word for word in words if word.end <= number.start]
    if before and before[-1].kind in (_Kind.OTHERS, _Kind.DENIED):
        start, end, _ = before[-1]
        if _OBJECT.fullmatch(body, start, end):
            linked = (
                number.start - end <= _HELD or _LINK.fullmatch(body, end, number.start) is not None
            )
        else:
            linked = number.start - end <= _LINKED and not _SPENT.search(body, end, number.start)
        of_another = _OF_ANOTHER.search(body, max(0, start - 2), start)
        by = _BY_BEFORE.search(body, max(0, number.start - _BY_CHARS), number.start)
        if linked and not of_another and not by:
            return True
    return any(word.kind is _Kind.OTHERS and 0 <= word.start - number.end <= 1 for word in words)


def _placed(body: str, number: Number, naming: list[_Word], start: int, end: int) -> bool:
    """Whether a number stands where codes do: first in its sentence, introduced, or by a name."""
    if number.sure:
        return (
            not _WORDY.search(body, start, number.start)
            or _INTRODUCED.search(body, start, number.start) is not None
            or any(start <= word.start < end for word in naming)
        )
    before = [word for word in naming if start <= word.start < number.start]
    if not before:
        after = [word for word in naming if number.end <= word.start < end]
        near = bool(after) and after[0].start - number.end <= _OF_LETTERS
        return near and _of_digits(body, number)
    told = _LINK_END.search(body, before[-1].end, number.start) is not None
    return number.start - before[-1].end <= (
        _BEFORE if told else _OF_LETTERS
    ) and not _TELLING.search(body, before[-1].end, number.start)


def _rule(body: str, number: Number, words: list[_Word]) -> str | None:
    """The rule by which the word that owns a number makes it a code; None if no word does."""
    word = _owner(body, number, words)
    if word is None or word.kind is _Kind.OTHERS:
        return None
    if number.form is Form.LETTER:
        return "letter-code"
    return "named" if word.kind is _Kind.NAMES else "weak"


def _owner(body: str, number: Number, words: list[_Word]) -> _Word | None:
    """The word that names a number, if it may name a code.

    In this order: the word before it, with nothing but a link between ("code is: 482913"); the word
    after it ("482913 is your code"); a name further back in the same sentence.
    """
    before = [word for word in words if word.end <= number.start]
    after = [word for word in words if word.start >= number.end]
    nearest = before[-1] if before else None
    near = nearest and number.start - nearest.end <= _LINKED
    if nearest and near and _LINK.fullmatch(body, nearest.end, number.start):
        return nearest if nearest.kind is not _Kind.DENIED else None
    if number.form is Form.CUT:
        return None
    if number.form is Form.ODD:
        return _password(body, number, before)
    return _name_after(body, number, nearest, after) or _name_further_back(body, number, before)


def _password(body: str, number: Number, before: list[_Word]) -> _Word | None:
    """The name in front of letters, digits and signs that "is" or a colon leads to."""
    naming = [word for word in before if word.kind in _NAMING]
    if not naming or not _SIGNS.search(body, number.start, number.end):
        return None
    word = naming[-1]
    led = number.start - word.end <= _BEFORE and _LINK_END.search(body, word.end, number.start)
    return word if led and not _STOP.search(body, word.end, number.start) else None


def _name_after(
    body: str, number: Number, nearest: _Word | None, after: list[_Word]
) -> _Word | None:
    """The word after a number that names it: "482913 is your code", or a number that leads."""
    after = [word for word in after if not _has_own_number(body, word, after)]
    leads = _leads(body, number)
    if after and after[0].kind is _Kind.OTHERS and not body[number.end : after[0].start].strip():
        return None
    if leads:
        after = [word for word in after if word.kind is not _Kind.OTHERS]
    if not after or after[0].start - number.end > _AFTER:
        return None
    word = after[0]
    if _STOP.search(body, number.end, word.start):
        return None
    if leads:
        return word
    said = _IS_YOURS.match(body, number.end, word.start)
    touching = word.start - number.end <= 1  # "482913 kodu ile"
    if word.kind in _NAMING and (said or touching):
        return word
    free = nearest is None or _STOP.search(body, nearest.end, number.start)
    return word if free and number.sure and word.kind is _Kind.NAMES else None


def _has_own_number(body: str, word: _Word, after: list[_Word]) -> bool:
    """Whether a word names the number behind it, by itself or by the next: "enter code 0000"."""
    following = next((each for each in after if 0 <= each.start - word.end <= 1), word)
    return any(_OWN_NUMBER.match(body, each.end) for each in (word, following))


def _name_further_back(body: str, number: Number, before: list[_Word]) -> _Word | None:
    """A name in front of a number in the same sentence, past words that do not hold the number."""
    for word in reversed(before):
        between = number.start - word.end
        stopped = between > _BEFORE or _STOP.search(body, word.end, number.start)
        if stopped or word.kind is _Kind.DENIED:
            return None
        linked = (
            _LOOSE_LINK.fullmatch(body, word.end, number.start) is not None
            or _AMOUNT_LINK.fullmatch(body, word.end, number.start) is not None
        )
        if word is before[-1] and _owned_by(body, word, number):
            return word
        if word.kind is _Kind.NAMES and (linked or (number.sure and not _WARNING.search(body))):
            if (
                word is before[-1]
                or _LINK_END.search(body, word.end, number.start)
                or (
                    number.start - before[-1].end > _HELD_LOOSELY
                    and _PHRASE.fullmatch(body, word.end, number.start)
                )
            ):
                return word
        elif word.kind is _Kind.WEAK and linked:
            return word
        if between <= _HELD:
            return None
    return None


def _owned_by(body: str, word: _Word, number: Number) -> bool:
    """Whether between a name and its number there is only whose code it is.

    The number is of letters and digits and has to end the sentence.
    """
    return (
        word.kind is _Kind.NAMES
        and number.form is Form.MIXED
        and _FOR_WHOM.fullmatch(body, word.end, number.start) is not None
        and (number.end == len(body.rstrip()) or _STOP.match(body, number.end) is not None)
        and not _TELLING.search(body, word.end, number.start)
    )


def _leads(body: str, number: Number) -> bool:
    """Whether the text begins with a number that needs no link to its name."""
    return number.sure and not _LETTER.search(body, 0, number.start)


def _cut_off(
    body: str, found: list[Number], scripts: list[_Script], *, signed: bool
) -> _Decision | None:
    """The rule for a short text that breaks off without an end; None if it does not look so."""
    if found:
        number = found[0]
        if _leads(body, number) and _CUT_YOURS.match(body, number.end):
            return "cut-off", (number.code, number.end)
        return None
    if _WHOLE.search(body) or _TELLING.search(body) or _SPAM.search(body) or _LEAVE.search(body):
        return None
    named = max((script.last_name(body) for script in scripts), default=0)
    if (named and len(body) - named <= _CUT_CHARS) or f" {body}".endswith(_CUT_NAMES):
        return "cut-off", None
    if signed and len(body) <= _SIGNATURE_PREFIX_CHARS and _LOGGING_IN.search(body):
        return (
            None if any(script.other_scene(body) for script in scripts) else ("cut-off-login", None)
        )
    return None
