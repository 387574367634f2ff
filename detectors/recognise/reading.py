"""Reads a text by itself: the rule that decides, the place of its code, and the sender's name.

The idea: every number in a text belongs to the word that names it. Find the numbers that look like
a code (`shapes`), find the words that name numbers (`scripts`), give each number to the word
nearest to it (`owners`), and look what kind of word that is. A pick-up number, a card's last digits
and a phone number have owners too; that is why they are not codes. Where no word owns a number,
several cues together may make it a code (`cues`); what else a text tells may speak against it
(`scenes`).

A text is read with its digits masked, so that all messages of one template are read once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from detectors.recognise import glance
from detectors.recognise.cues import supported
from detectors.recognise.fold import fold, kept, mask
from detectors.recognise.gather import gathered
from detectors.recognise.glance import Glance
from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.owners import LINK_END, SAYS, TELLING, held, owned_codes, without_objects
from detectors.recognise.rules import RULES
from detectors.recognise.scenes import (
    LEAVE,
    SPAM,
    handed_over,
    of_another,
    of_settings,
    other_scene,
    plain_way_out,
    to_keep,
    weak_rule,
)
from detectors.recognise.scripts import Script, Word, cues_of, scripts_of
from detectors.recognise.shapes import (
    HOST_LINE,
    Form,
    Number,
    app_hash,
    has_link,
    leading,
    numbers,
    without_links,
)
from detectors.recognise.signature import signature_span
from detectors.recognise.spelled import spelled
from detectors.recognise.spent import of_receipt, spent
from detectors.recognise.traits import traits_of
from detectors.recognise.words import all_words

HEAD_CHARS: Final = 400
TAIL_CHARS: Final = 100
"""Of a longer text its first and its last characters are read. Chosen: a code stands in the
first six segments of 70, a host line or a signature at the end; whatever is sent, a text costs no
more than 501 characters do."""
READ_CHARS: Final = HEAD_CHARS + 1 + TAIL_CHARS  # with the line break that joins them
_FEW: Final = 4  # texts that are looked at one by one: numpy costs more
_DEEP_CHARS: Final = 1_600  # ten segments: a code this deep in a long text is looked for
_DEEP_BEFORE: Final = 70
_DEEP_AFTER: Final = 30
_DEEP: Final = re.compile("(?<![\\d.,/-])\\d{4,8}(?![\\d.,/-]|\\s?[%$€元])")

# Chosen so that the training texts come out right.
_PREFIX_CHARS: Final = 72  # a feed's prefix is 20-70 characters; two for a decoding slip
_CUT_CHARS: Final = 12  # after a name, before the place where a prefix breaks off
_SIGNATURE_PREFIX_CHARS: Final = 24  # a prefix of 20 characters and some to spare
_CUT_YOURS: Final = re.compile(
    f"\\s?(?:{SAYS})\\s?(?:your|tu|votre|dein|ihr|il tuo|seu|你的|您的)?[^.。!]*$"
)
_LED_TO: Final = re.compile(f"\\s?(?:[:：]|(?<![a-z])(?:{SAYS})\\s?[:：]?)\\s{{0,3}}(?:0{{1,3}})?$")
_END: Final = re.compile("[。！？!?.)）】\\]~…]\\s?$")
_CUT_NAMES: Final = tuple(
    edge + name[:end]
    for name in all_words("common")
    for edge, shortest in [("", 1) if name > "\u3000" else (" ", 5)]
    for end in range(shortest, len(name))
    if name[end] != " "  # a whole word is no break
)
_WHOLE: Final = re.compile(  # 中国移动 is no beginning of 动态码, nor 확인 of 인증번호
    "(?:[移流活运運自][动動]|[学學高母本返在驾駕军軍]校|[가-힣]인|正在[验驗][证證](?:手机|手機)?[号號][码碼])$"
)
_LOGGING_IN: Final = any_of(branches("正在|ログイン|로그인|log[ -]?in|sign[ -]?in|вход"))
_CODE_SENDER: Final = re.compile("otp|auth|verif|passcode|2fa|code|securit|验证|인증|認証")
_LATE_DIGITS: Final = {  # Tibetan, Shan, Mongolian: not folded, for names hold them as they are
    zero + digit: "0" for zero in (0x0F20, 0x1090, 0x1810) for digit in range(10)
}
_LATE_DIGIT: Final = re.compile("[\u0f20-\u0f29\u1090-\u1099\u1810-\u1819]")
_TOGETHER: Final = "\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3"  # no blanks around a Latin word
_NO_CAPITALS: Final = re.compile(f"[{_TOGETHER}]")
_CAPITALS: Final = re.compile(
    f"(?<![^\\W{_TOGETHER}])(?<![.@/])[A-Z]{{4,9}}(?![^\\W{_TOGETHER}]|[@/]|[.]\\w)"
)
_RANDOM: Final = re.compile(
    "(?<![\\w.@/])(?![DMY]+(?!\\w))(?=[A-Z]{0,5}[B-DF-HJ-NP-TV-XZ]{4})[A-Z]{4,9}(?![\\w@/]|[.]\\w)"
    "|(?<=[:：=] )(?=[a-z]{0,5}[b-df-hj-np-tv-xz]{4})[a-z]{5,9}(?![\\w@/]|[.]\\w)"
    "|(?<=[码碼][:：是为為])[a-z]{4,6}(?! ?[A-Za-z0-9_@/.])"
)
"""A word in capitals, or behind a colon, with four consonants in a row: no word, perhaps a code.
How a date is to be written (DDMMYYYY) is none. Among Chinese letters any word "is" the code."""
_LOOSE: Final = re.compile("(?<![0-9])0(?:[^\\w\n]{0,2}0){2,9}(?![0-9])")
_WEEKDAY: Final = "[(（][月火水木金土日월화수목금토일一二三四五六][)）]"
_HIDDEN: Final = re.compile(
    # one digit after another, pairs between odd signs, one digit in letters
    "(?<![0-9])(?<!0[ -])0(?:[^\\w\n]{1,3}0){3,7}(?![0-9]|[^\\w\n]{1,3}0)"
    "|(?<![0-9])000?(?:[*·•_|=~^+]000?){1,4}(?![0-9])"
    "|(?<![0-9])0{3} / 0{3}(?![0-9])"
    f"|(?<![0-9])(?!0{{1,2}}[./]0{{1,2}}[.]?\\s?{_WEEKDAY})"
    "0{1,2}[^\\w\n]{1,3}(?:0{1,2}[^\\w\n]{1,3}){0,4}[^\\W\\d_]{1,8}(?:[^\\w\n]{1,3}0{1,2}){2,5}(?![0-9])"
    f"|(?<![0-9])(?!0{{1,2}}[./]0{{1,2}}[.]?\\s?{_WEEKDAY})"
    "(?:0{1,2}[^\\w\n]{1,3}){2,5}[^\\W\\d_]{1,8}[^\\w\n]{1,3}0{1,2}(?![0-9])"
)
_SHOWN: Final = re.compile(
    "(?<![0-9a-z_@*+$€£¥₹#&=.,/:-])(?<![:][0-9])(?:0{4,8}|000[ -]000)"
    "(?![0-9a-z_%*@]|['’][a-z]|[.,:/-]0|\\s?(?:元|円|원))"
    "|(?<=[:=]) ?(?:0{4,8}|000[ -]000)(?![0-9a-z_%*@]|['’][a-z]|[.,:/-]0)"
)
_SHOWS: Final = "000"  # what all that it finds has; it may begin with the blank before that
_DIGITS: Final = re.compile("0+")
_RUN: Final = re.compile("0{3,}")
_RUNS_MAX: Final = 4
_NAMED: Final = frozenset({"name", "weak name"})  # traits
USED: Final = frozenset({"purpose", "secret", "typed"})
"""Traits of a text that tells what its code is for, to keep it, or where to type it."""
_LINK_SCORE: Final = 700
"""Hundredths of log-odds from which a link needs no listed word that tells what it is for. Chosen:
headlines of news with a link reach 570, and none of our own links that verify hangs on it."""
_LINK_CHARS: Final = 140  # of a text whose link verifies: longer ones are advertising
_PATH: Final = re.compile("/([^\\s/?#]*[-_][^\\s/?#]*)")
_PATH_WORDS: Final = 4  # of a part of an address that people read: an article's, an offer's
_THING: Final = re.compile("[^\\W\\d_]{2}00")
_CHAT: Final = re.compile("[a-z]{1,3}0[a-z]{1,4}|[a-z]0[a-z]0")  # Arabic, Twi in Latin letters
_ON: Final = re.compile("[-–][^\\W_]")
_UNUSUAL: Final = frozenset({Form.MIXED, Form.DASHED, Form.ODD})
_SOLD: Final = frozenset({"price", "way out", "phone", "other scene"})  # traits of advertising
_Decision = tuple[str, tuple[int, int] | None]  # rule, span of the code


class Reading(NamedTuple):
    """The rules' reading of a masked text. The code's place is one in the text that was read."""

    rule: str  # of RULES
    code: tuple[int, int] | None = None
    traits: tuple[str, ...] = ()  # of TRAITS


def excerpt(text: str) -> str:
    """The part of a text that is read: all of it, or what `parts` says, in lines."""
    if len(text) <= READ_CHARS:
        return text
    return "\n".join(text[start:end] for start, end in parts(text))


def parts(text: str) -> list[tuple[int, int]]:
    """The places of what is read of a long text: its head, its tail, and a number between.

    A code may stand behind a page of terms: the first number of a code's shape behind the head is
    read with what stands around it, instead of as much of the head's end.
    """
    tail = len(text) - TAIL_CHARS
    deep = _DEEP.search(text, HEAD_CHARS, min(tail, _DEEP_CHARS))
    if deep is None:
        return [(0, HEAD_CHARS), (tail, len(text))]
    start = max(HEAD_CHARS - _DEEP_BEFORE - _DEEP_AFTER, deep.start() - _DEEP_BEFORE)
    end = min(tail, start + _DEEP_BEFORE + _DEEP_AFTER - 1)
    return [(0, HEAD_CHARS - _DEEP_BEFORE - _DEEP_AFTER), (start, end), (tail, len(text))]


def in_text(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """The place in a text of a place in its excerpt."""
    if len(text) <= READ_CHARS:
        return span
    start, end = span
    for first, last in parts(text):
        if start <= last - first:
            return first + start, first + end
        start, end = start - (last - first) - 1, end - (last - first) - 1
    raise AssertionError(span)


class Look(NamedTuple):
    """A masked excerpt folded, and the names in it that need no rule.

    `signature` and `host` are places in the text that was looked at, the others of `folded`.
    """

    folded: str
    bracketed: tuple[int, int] | None  # the signature
    host_line: re.Match[str] | None
    signature: tuple[int, int] | None
    host: tuple[int, int] | None
    places: list[int] | None  # of the characters of `folded`, if some were left out
    cased: str  # `folded` with its capitals: as long, a character for a character
    may: int  # what else it may hold, as a glance tells; ALL where nobody glanced

    @property
    def for_app(self) -> bool:
        """Tell if the text begins as those that an Android app reads."""
        return "<#>" in self.folded and self.folded.lstrip().startswith("<#>")

    def unfolded(self, span: tuple[int, int] | None) -> tuple[int, int] | None:
        """The place in the text of a place in `folded`."""
        if span is None or self.places is None:
            return span
        return self.places[span[0]], self.places[span[1] - 1] + 1


def look(masked: str) -> Look:
    """Folds a masked excerpt and finds the names that stand in it as such."""
    folded = fold(masked)
    if not masked.isascii():
        folded = mask(folded)  # native digits have become ASCII digits
        if _LATE_DIGIT.search(folded):
            folded = folded.translate(_LATE_DIGITS)
    places = None if len(folded) == len(masked) else kept(masked)
    return _look(masked, folded, places, glance.ALL)


@dataclass(frozen=True, slots=True)
class Glanced:
    """Masked excerpts at a glance; a look at one is made when it is asked for."""

    masked: Sequence[str]
    glance: Glance | None  # None of few, which are all in `looks`
    looks: dict[int, Look]  # at those that it took to fold them

    def texts(self) -> list[str]:
        """The folded texts, as looks have them."""
        if self.glance is None:
            return [each.folded for each in self.looks.values()]
        folded = self.glance.texts()
        for at, each in self.looks.items():
            folded[at] = each.folded
        return folded

    def look(self, at: int) -> Look:
        """A look at one: the same as by itself, but for `may`."""
        made = self.looks.get(at)
        if made is None and self.glance is not None:
            made = _look(self.masked[at], self.glance.text(at), None, int(self.glance.may[at]))
        assert made is not None, "where nobody glanced there is a look at each"
        return made


def glanced(masked: Sequence[str]) -> Glanced:
    """A glance at each: where there are many, at a fifth of what looks at them cost."""
    if len(masked) < _FEW or any("\0" in text for text in masked):
        return Glanced(masked, None, dict(enumerate(map(look, masked))))
    seen = glance.glanced(masked)
    looks = {}
    for at in (seen.may & glance.HIDES).nonzero()[0].tolist():
        hides, text = int(seen.may[at]), masked[at]
        closely = hides & glance.CLOSELY
        looks[at] = look(text) if closely else _look(text, seen.text(at), None, hides)
    return Glanced(masked, seen, looks)


def _look(masked: str, folded: str, places: list[int] | None, may: int) -> Look:
    """Looks at a text that is folded; `places` are those of its characters if some are missing."""
    if may & glance.APART:
        folded, together = gathered(folded)
        if together:
            places = [places[place] for place in together] if places else together
            may = glance.ALL
    if may & glance.WORDS:
        folded, together = spelled(folded)
        if together:
            places = [places[place] for place in together] if places else together
            may = glance.ALL
    host_line = HOST_LINE.search(folded) if "@" in folded else None
    bracketed = signature_span(folded)
    host = host_line.span(1) if host_line else None
    if places is None:  # of nearly every text: past the named tuple's constructor
        told = folded, bracketed, host_line, bracketed, host, None, masked, may
        return tuple.__new__(Look, told)
    cased = "".join([masked[place] for place in places])
    looked = Look(folded, bracketed, host_line, None, None, places, cased, may)
    return looked._replace(signature=looked.unfolded(bracketed), host=looked.unfolded(host))


def read(looked: Look) -> Reading:
    """Reads a masked excerpt.

    >>> read(look(mask("【淘宝】验证码482913，请勿泄露")))[:2]
    ('named', (7, 13))
    """
    rule, code, traits = _decide(looked)
    return Reading(rule, looked.unfolded(code), traits)


def likely(looked: Look) -> tuple[int, int] | None:
    """The place of the number that looks most like a code, where no rule names one; or None."""
    return looked.unfolded(likely_folded(looked))


def likely_folded(looked: Look) -> tuple[int, int] | None:
    """The same as a place in `folded`: None where a link alone may be what verifies."""
    body = body_of(looked)
    found = sorted(numbers(body), key=lambda number: (not number.sure, number.start))
    if found:
        return found[0].code, found[0].end
    for random in _RANDOM.finditer(looked.cased):
        if not looked.cased.startswith("://", random.end()):  # no link's own beginning
            return random.span()
    if has_link(looked.folded) and not _HIDDEN.search(body):
        return None  # a time, a day, how long the link holds
    loose = _LOOSE.search(body)
    return loose.span() if loose else None


def shown(looked: Look) -> bool:
    """Tell if a text shows a number of a code's usual shape: a look at it, no reading."""
    return shown_at(looked) is not None


def shown_at(looked: Look) -> int | None:
    """The place in `folded` of the first such number, or of the blank before it; or None."""
    first = looked.folded.find(_SHOWS)
    found = _SHOWN.search(looked.folded, max(0, first - 1)) if first >= 0 else None
    return found.start() if found else None


def tells_spent(looked: Look) -> bool:
    """Tell if a text may say of a number that it was a code: a look at it, no reading."""
    body = looked.folded
    return looked.may & glance.SPENT > 0 and any(
        spent(body, *run.span()) for run in islice(_RUN.finditer(body), _RUNS_MAX)
    )


def may_be(looked: Look, reading: Reading, score: int) -> bool:
    """Tell if a text in which no rule finds a code may be one all the same.

    It shows something that can be a code: a number of some such shape, digits that stand apart, one
    of them in letters, a word in capitals behind a name or of consonants alone. Or a link, and
    nothing that is sold, with what it is for or where the model's score is high.
    """
    body = body_of(looked)
    if _HIDDEN.search(body) or any(
        number.form is not Form.ODD
        or _NAMED.intersection(reading.traits)
        or (_DIGITS.fullmatch(body, number.code, number.end) and USED.intersection(reading.traits))
        for number in numbers(body)
    ):
        return True
    if (
        reading.rule == "shapeless"
        and "long" not in reading.traits
        and _RANDOM.search(looked.cased)
    ):
        return True
    told = "purpose" in reading.traits or score >= _LINK_SCORE
    linked = told and len(body) <= _LINK_CHARS and has_link(looked.folded)
    return linked and not (_SOLD.intersection(reading.traits) or _names_a_page(looked.folded))


def _names_a_page(folded: str) -> bool:
    """Tell if a link's path is a sentence, as those of articles and offers are: nobody logs in."""
    return any(
        sum(len(word) > 2 and word.isalpha() for word in re.split("[-_]", path)) >= _PATH_WORDS
        for path in _PATH.findall(folded)
    )


def slight(looked: Look) -> bool:
    """Tell if a text's numbers are all like KF94 or "l9ess": a thing's name, a word of a chat."""
    body = looked.folded
    found = numbers(body_of(looked))
    return bool(found) and all(
        number.form is Form.ODD
        or (
            number.form is Form.MIXED
            and not _ON.match(body, number.end)
            and (
                _THING.fullmatch(body, number.code, number.end) is not None
                or (
                    _CHAT.fullmatch(body, number.code, number.end) is not None
                    and looked.cased[number.code : number.end].islower()
                )
            )
        )
        for number in found
    )


def unusual(looked: Look) -> bool:
    """Tell if a text's numbers are all of letters and digits together, or in groups: few codes."""
    found = numbers(body_of(looked))
    return bool(found) and all(number.form in _UNUSUAL for number in found)


def names_codes(sender: str) -> bool:
    """Tell if a normalised sender is called after what it sends: OTP, AUTHMSG, VERIFY."""
    return not sender.isdigit() and _CODE_SENDER.search(sender) is not None


def body_of(looked: Look) -> str:
    """The folded text with its signature and links blanked, places kept."""
    body = looked.folded
    if looked.bracketed:
        start, end = looked.bracketed
        body = f"{body[:start]}{' ' * (end - start)}{body[end:]}"
    return without_links(body)


def _decide(looked: Look) -> tuple[str, tuple[int, int] | None, tuple[str, ...]]:
    """The rule for a folded, masked text, the place of its code, and its traits."""
    folded, signature, host_line = looked.folded, looked.bracketed, looked.host_line
    body = folded
    if signature:
        start, end = signature
        body = f"{folded[:start]}{' ' * (end - start)}{folded[end:]}"
    if host_line:
        found = numbers(body[: host_line.start()])
        return "host-line", (found[0].code, found[0].end) if found else host_line.span(2), ()
    body = without_links(body)
    hashed = app_hash(folded)
    if hashed is not None:
        body = body[:hashed]
    found = numbers(body) or [Number(*span, Form.LETTERS) for span in _words(looked)]
    short = len(folded) <= _PREFIX_CHARS and not _END.search(folded)
    linked = has_link(folded)
    if not (found or short or linked or "0" in body or _LED_TO.search(body)):
        return "numberless", None, ()
    if found and found[0].form is not Form.LETTERS and looked.may & glance.SPENT:
        left = [number for number in found if not spent(body, number.start, number.end)]
        used = [number for number in found if number not in left]
        if not left or any(of_receipt(body, number.start) for number in used):
            return "spent", None, ()
        found = left
    scripts = scripts_of(body)
    words = sorted(word for script in scripts for word in script.words(body))
    leaves = LEAVE.search(body) is not None
    code = (
        _code(folded, body, found, words, scripts, hashed=hashed is not None, leaves=leaves)
        if found
        else None
    )
    letters = bool(found) and found[0].form is Form.LETTERS
    if letters and code and not _of_letters(looked, body, code):
        code = None
    if code is None:
        signed = signature is not None
        alone = [] if letters and _NO_CAPITALS.search(looked.cased) else found
        code = (
            _cut_off(body, alone, scripts, signed=signed, leaves=leaves)
            if short
            else _broken_off(body, scripts, leaves=leaves)
        )
    if code is None:
        rule = "nothing" if words else "wordless"
        if all(held(body, number, words, scripts) for number in found):
            rule = "held"
        if not found or letters:
            random = letters and _RANDOM.search(looked.cased) is not None
            rule = "shapeless" if "0" in body or random else "link" if linked else "numberless"
        code = rule, None
    traits = traits_of(body, found, words, scripts, signed=signature is not None, leaves=leaves)
    return *code, tuple(traits)


def _of_letters(looked: Look, body: str, code: _Decision) -> bool:
    """Tell if a word is a code: one that only codes' name has, or no word: SUMMER is a shop's.

    Under a weak name it has to be introduced ("your code is QGFDAE") or to be for logging in.
    """
    rule, span = code
    if span is None or rule == "named":
        return rule == "named"
    random = _RANDOM.fullmatch(looked.cased, *span)
    return (random is not None and random[0].isupper()) and (  # no small one: https
        rule == "weak-login" or LINK_END.search(body, 0, span[0]) is not None
    )


def _words(looked: Look) -> list[tuple[int, int, int]]:
    """The words in capitals that may be codes, but for the signature's, where others are not."""
    if looked.cased.isupper() and not _NO_CAPITALS.search(looked.cased):
        return []
    start, end = looked.bracketed or (0, 0)
    places = sorted(
        {
            found.span()
            for pattern in (_CAPITALS, _RANDOM)
            for found in pattern.finditer(looked.cased)
        }
    )
    return [(first, first, last) for first, last in places if last <= start or first >= end]


def _code(
    folded: str,
    body: str,
    found: list[Number],
    heard: list[Word],
    scripts: list[Script],
    *,
    hashed: bool,
    leaves: bool,
) -> _Decision | None:
    """The rule for a text by the words that own its numbers; None if none of them is a code."""
    words = without_objects(body, heard)
    owned = owned_codes(body, found, words)
    if hashed:
        number = owned[0][1] if owned else found[0]
        return "app-hash", (number.code, number.end)
    if not owned:
        owned = supported(body, found, words, scripts)
    if not owned:
        return None
    rule, number = max(owned, key=lambda pair: RULES[pair[0]].confidence)
    if handed_over(body, number, scripts):
        return "held", None
    if rule == "named" and of_settings(body):
        return "held", None
    if rule == "named" and number.form is Form.MIXED and of_another(body, number, words, scripts):
        return "held", None
    if rule == "weak":
        rule = weak_rule(body, number, scripts)
        if rule == "held":
            return rule, None
    if SPAM.search(body) or (
        (leaves or has_link(folded))
        and not cues_of(body, scripts)[1]
        and other_scene(body, number, scripts)
    ):
        return "spam", None  # a prize is claimed, a shop advertises, with what it calls a code
    if (
        leaves
        and (rule != "named" or has_link(folded))
        and not (
            (
                to_keep(body, number, scripts)
                or (plain_way_out(body, number) and not has_link(folded))
            )
            and not other_scene(body, number, scripts)
        )
    ):
        return "spam", None
    return rule, (number.code, number.end)


def _broken_off(body: str, scripts: list[Script], *, leaves: bool) -> _Decision | None:
    """The rule for a segment whose last words lead to a code that the next one holds."""
    last = _LED_TO.search(body)
    if last is None or leaves or SPAM.search(body):
        return None
    named = max((script.last_name(body) for script in scripts), default=0)
    return ("cut-off", None) if named == last.start() else None


def _cut_off(
    body: str, found: list[Number], scripts: list[Script], *, signed: bool, leaves: bool
) -> _Decision | None:
    """The rule for a short text that breaks off without an end; None if it does not look so."""
    if found:
        number = found[0]
        if leading(body, number) and _CUT_YOURS.match(body, number.end):
            return "cut-off", (number.code, number.end)
        return None
    if leaves or _WHOLE.search(body) or TELLING.search(body) or SPAM.search(body):
        return None
    named = max((script.last_name(body) for script in scripts), default=0)
    if (named and len(body) - named <= _CUT_CHARS) or f" {body}".endswith(_CUT_NAMES):
        return "cut-off", None
    if signed and len(body) <= _SIGNATURE_PREFIX_CHARS and _LOGGING_IN.search(body):
        return (
            None if any(script.other_scene(body) for script in scripts) else ("cut-off-login", None)
        )
    return None
