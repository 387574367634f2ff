"""Find numbers, links and sentences in a text, in every language.

All patterns work on text that `fold` has normalised, with masked digits. No pattern has an
unbounded repetition inside another repetition, so every search takes linear time.
"""

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from detectors.recognise.text.patterns import section
from detectors.recognise.text.sentences import STOP
from detectors.recognise.vocabulary.owners import is_owned

_SEEN: Final = section("shapes")

_TEXTS: Final = 8  # texts whose numbers are cached: one text is read several times
NUMBERS_MAX: Final = 12  # numbers per text, at most; chosen: no code follows a dozen such numbers

_NATIVE: Final = "\u0370-\u052f"  # Greek and Cyrillic
_DASH: Final = "\u2010-\u2015-"
_GLUED_UNITS: Final = (  # 50rb, 300tl, 10gb: an amount, a size, an order
    "(?:rb|ribu|jt|juta|k|mt|tl|dk|gb|mb|kb|tb|kg|km|cm|mm|m|g|ml|min|mins|phut|tr|h|hs|hrs|x|st|nd|rd|th"
    "|usd|eur|rs|rp|lei|kn|din|kc|ft|zl|sek|nok|dkk|chf|pts|p|d|w|v|kw|kwh|mah|mbps|hp|usdt|won|yen|baht|fps|px|hz|mhz"
    "|kcal|rpm|sqft|pcs|lbs|mln|tys|naira|yuan|sats|coins|miles|steps|secs?|seconds|weeks?|months?|years?|off)"
)
_GLUED_WORDS: Final = (  # short words: "0000is your code"; other letters may belong to the code
    "is|es|er|on|ar|as|to|do|je|ta|est|ist|din|for|use|not|and"
)
_NUMBER: Final = re.compile(
    # Not inside a word, a longer number, an amount, a time, an address, or a card's `*0000`.
    # Marks of emphasis on both sides are no such signs: *482913*, _482913_. Nor is the full stop of
    # a sentence whose last word has five letters, or the dots of "code...482913".
    "(?:(?P<marked>(?:(?<=(?<![\\w*])[*_])|(?<=(?<![\\w*])[*]{2}))(?=0{3,8}[*_]{1,2}(?![\\w*])))"
    "|(?<=[^\\W\\d_]{5}[.])(?=0{4,8}(?![\\w.]))|(?<=ode[.]{3})(?=0{4,8}(?![\\w.]))"
    "|(?<![0-9a-z_@*+$€£¥₩₹₽฿₫%/&.]))(?=[0a-z零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖\u0370-\u052f])"
    f"(?<!0[:,.{_DASH}])(?<!0 )"
    "(?:"
    # A number followed by a word without a space: "482913valid for 5 min".
    f"(?P<glued>(?<!-)0{{4,8}}(?!{_GLUED_UNITS}(?![a-z]))"
    f"(?=(?:{_GLUED_WORDS})\\s|(?=[a-z]{{0,9}}[aeiouy])(?:(?<=0{{6}})[a-z]{{4}}|[a-z]{{5}})"
    "[a-z]{0,20}(?![0-9a-z_@&/-])))"
    "|(?:"
    "(?P<letter>[a-z]{1,2}-0{5,8})"
    f"|(?P<plain>0{{3}}[ {_DASH}]0{{3}}|0{{4}}[ {_DASH}]0{{4}}|0(?:[ -]0){{3,7}}(?![ -]0)|0{{4,8}})"
    "|(?P<mixed>(?=[a-z]{0,8}0)(?=0{0,8}[a-z])[0-9a-z]{4,9}(?![#$@!&_][0-9a-z]))"
    f"|(?P<dashed>(?:00[{_DASH}]){{2,3}}00|000/000"
    f"|00 00 00(?! 0)|00 00(?! 0)|000[.]000"
    f"|000[ {_DASH}]0000|0000[ {_DASH}]00(?!0{{2}})0?|00[ {_DASH}]0000"
    f"|(?=[a-z{_DASH}]{{0,6}}0)(?=[0{_DASH}]{{0,6}}[a-z])"
    f"[0-9a-z]{{2,5}}[{_DASH}][0-9a-z]{{2,5}})"
    "|(?P<spelled>[零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖]{4,8})"
    "|(?P<cut>0{1,3}(?=$))"
    "|(?P<odd>0{9,10}|000|(?=[a-z#$@!&_-]{0,8}0)(?=[^ ]{0,8}[a-z])"
    "(?:(?:[0-9a-z]{1,10}-){2,3}|(?:[0-9a-z]{1,10}[#$@!&_]){1,3})[0-9a-z]{1,10}[!#$]?"
    "|(?=[a-z]{0,2}0)(?=0{0,2}[a-z])[0-9a-z]{3}(?![#$@!&-][0-9a-z]))"
    # Letters of other alphabets between digits: К7М2Т.
    f"|(?P<native>(?<![{_NATIVE}])(?=[0{_NATIVE}]{{4,9}}(?![0{_NATIVE}]))"
    f"(?:[{_NATIVE}]{{1,4}}0{{1,4}}[{_NATIVE}][0{_NATIVE}]*|0{{1,4}}[{_NATIVE}]{{1,4}}0[0{_NATIVE}]*))"
    ")"
    "(?(marked)(?=[*_])|(?![0-9a-z_%*@]))"
    # "482913,valid" and "482913,5分钟" have no space after the comma.
    f"(?![:/{_DASH}][0-9a-z]|[.](?:0|[a-z]+(?![a-z ]))"
    f"|,0{{1,3}}(?!0|\\s?(?:分|min|mn|phut|นาที|dk|мин))"
    "|[ ]0{3,}|[ ]?/[ ]?0)"
    ")"
)
_LETTERS_BEFORE: Final = 8  # the first digit is among the first nine characters of each form

HOST_LINE: Final = re.compile(
    "(?:^|\n)@((?:[a-z0-9-]{1,63}[.]){1,8}[a-z0-9-]{1,63}) ?#([0-9a-z]{4,10})"
    "(?: ?[@%]\\S+)?\\s{0,8}$"
)
"""Origin-bound one-time codes (WICG): the host and the code on the last line."""


class Form(Enum):
    """The forms in which a number is written."""

    PLAIN = "plain"  # 4-8 digits, 3+3, 4+4, or spaced one by one
    LETTER = "letter"  # G-123456
    MIXED = "mixed"  # 4-9 letters and digits: a code only with a name
    DASHED = "dashed"  # QX4-81T, 62-75-18, 62 75, 627.518, 627 5180: a code only with a name
    SPELLED = "spelled"  # 一二三四
    CUT = "cut"  # fewer digits at the very end: the text may have been cut there
    LETTERS = "letters"  # KXQRTB: a code only directly after a name
    ODD = "odd"  # 627, 8KD, 9 or 10 digits, bib#62k: a code only directly after a name


_FORMS: Final = {form.value: form for form in Form} | {"native": Form.MIXED, "glued": Form.PLAIN}


class Number(NamedTuple):
    """A number that may be a code, with its place and form."""

    start: int
    code: int  # begin of the code itself, after a letter and a dash
    end: int
    form: Form

    @property
    def sure(self) -> bool:
        """True if the form alone looks like a code. Other forms need a link to their name."""
        return self.form in (Form.PLAIN, Form.LETTER)


@lru_cache(_TEXTS)
def numbers(body: str) -> tuple[Number, ...]:
    """Return the numbers of a text that look like a code. Dates, amounts and phones do not."""
    return tuple(
        Number(
            found.start(),
            found.start() + (found[0].index("-") + 1 if found["letter"] else 0),
            found.end(),
            _FORMS[str(found.lastgroup)],
        )
        for found in islice(_candidates(body), NUMBERS_MAX)
        if not (found["mixed"] and _SEEN.numbered.fullmatch(found[0]))
        and not is_owned(body, found.start(), found.end(), "counted")
    )


def _candidates(body: str) -> Iterator[re.Match[str]]:
    """Yield matches with the shape of a number, in order. Only places near digits are searched."""
    if _SEEN.spelled.search(body):
        yield from _NUMBER.finditer(body)
        return
    end = 0
    while (digit := body.find("0", end)) >= 0:
        found = _NUMBER.search(body, max(end, digit - _LETTERS_BEFORE))
        if found is None:
            return
        yield found
        end = found.end()


def of_digits(body: str, number: Number) -> bool:
    """Return whether a number has no letters and looks like a code: 482913, 62 75 18."""
    paired = number.form is Form.DASHED and not _SEEN.letter.search(body, number.start, number.end)
    return number.sure or paired


def leading(body: str, number: Number) -> bool:
    """Return whether the text begins with a number that needs no link to its name."""
    return number.sure and not _SEEN.letter.search(body, 0, number.start)


def sentence_span(body: str, start: int, end: int) -> tuple[int, int]:
    """Return the span of the sentence or line that contains a number or link, by its span."""
    first = max((stop.end() for stop in STOP.finditer(body, 0, start)), default=0)
    stop = STOP.search(body, end)
    return first, stop.start() if stop else len(body)


def has_link(folded: str) -> bool:
    """Return whether a text contains a web address."""
    return _SEEN.dotted.search(folded) is not None and _SEEN.link.search(folded) is not None


def has_invitation(folded: str) -> bool:
    """Return whether a text asks to open a web address, and does not only name a shop by its host.

    Such an address has a path, or ends the text: "paid at FNAC.COM, code 0000" has none.
    """
    return has_link(folded) and any(
        "/" in folded[start:end] or not folded[end:].strip(" .)!") for start, end in links(folded)
    )


def links(folded: str) -> list[tuple[int, int]]:
    """Return the spans of all web addresses in a text."""
    return [found.span() for found in _SEEN.link.finditer(folded)]


def without_links(folded: str) -> str:
    """Return the text with spaces in place of web addresses. All places stay the same."""
    if not _SEEN.dotted.search(folded):
        return folded
    return _SEEN.link.sub(lambda found: " " * len(found[0]), folded)


def app_hash(folded: str) -> int | None:
    """Return the place of the app hash in a text for an Android app, or None.

    Such a text begins with `<#>` and ends with a hash of 11 characters.
    """
    if not folded.lstrip().startswith("<#>"):
        return None
    found = _SEEN.app_hash.search(folded)
    return found.start(1) if found else None
