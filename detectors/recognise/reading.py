"""What a text tells by itself: the rule that decides, the place of its code, and the sender's name.

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
from typing import Final, NamedTuple

from detectors.recognise.cues import supported
from detectors.recognise.fold import fold, kept, mask
from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.owners import SAYS, TELLING, owned_codes, without_objects
from detectors.recognise.rules import RULES
from detectors.recognise.scenes import (
    LEAVE,
    SPAM,
    handed_over,
    of_another,
    other_scene,
    to_keep,
    weak_rule,
)
from detectors.recognise.scripts import Script, Word, scripts_of
from detectors.recognise.shapes import (
    HOST_LINE,
    Form,
    Number,
    app_hash,
    has_link,
    leading,
    numbers,
    signature_span,
    without_links,
)
from detectors.recognise.words import all_words

HEAD_CHARS: Final = 400
TAIL_CHARS: Final = 100
"""What is read of a longer text: its first and its last characters. Chosen: a code stands in the
first six segments of 70, a host line or a signature at the end; whatever is sent, a text costs no
more than 501 characters do."""
READ_CHARS: Final = HEAD_CHARS + 1 + TAIL_CHARS  # with the line break that joins them

# Chosen so that the training texts come out right.
_PREFIX_CHARS: Final = 72  # a feed's prefix is 20-70 characters; two for a decoding slip
_CUT_CHARS: Final = 12  # after a name, before the place where a prefix breaks off
_SIGNATURE_PREFIX_CHARS: Final = 24  # a prefix of 20 characters and some to spare
_CUT_YOURS: Final = re.compile(
    f"\\s?(?:{SAYS})\\s?(?:your|tu|votre|dein|ihr|il tuo|seu|你的|您的)?[^.。!]*$"
)
_END: Final = re.compile("[。！？!?.)）】\\]~…]\\s?$")
_CUT_NAMES: Final = tuple(
    edge + name[:end]
    for name in all_words("common")
    for edge, shortest in [("", 1) if name > "\u3000" else (" ", 5)]
    for end in range(shortest, len(name))
    if name[end] != " "  # a whole word is no break
)
_WHOLE: Final = re.compile("[移流活运運自][动動]$")  # 中国移动 is no beginning of 动态码
_LOGGING_IN: Final = any_of(branches("正在|ログイン|로그인|log[ -]?in|sign[ -]?in|вход"))
_CODE_SENDER: Final = re.compile("otp|auth|verif|passcode|2fa|code|securit|验证|인증|認証")
_LOOSE: Final = re.compile("(?<![0-9])0(?:[^\\w\n]{0,2}0){2,9}(?![0-9])")
_Decision = tuple[str, tuple[int, int] | None]  # rule, span of the code


class Reading(NamedTuple):
    """What the rules tell of a masked text. The code's place is one in the text that was read."""

    rule: str  # of RULES
    code: tuple[int, int] | None = None


def excerpt(text: str) -> str:
    """The part of a text that is read: all of it, or its head and its tail."""
    if len(text) <= READ_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


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

    @property
    def for_app(self) -> bool:
        """Whether the text begins as those that an Android app reads."""
        return self.folded.lstrip().startswith("<#>")

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
    host_line = HOST_LINE.search(folded) if "@" in folded else None
    bracketed = signature_span(folded)
    host = host_line.span(1) if host_line else None
    if len(folded) == len(masked):
        return Look(folded, bracketed, host_line, bracketed, host, None)
    looked = Look(folded, bracketed, host_line, None, None, kept(masked))
    return looked._replace(signature=looked.unfolded(bracketed), host=looked.unfolded(host))


def read(looked: Look) -> Reading:
    """Reads a masked excerpt.

    >>> read(look(mask("【淘宝】验证码482913，请勿泄露")))
    Reading(rule='named', code=(7, 13))
    """
    rule, code = _decide(looked.folded, looked.bracketed, looked.host_line)
    return Reading(rule, looked.unfolded(code))


def likely(looked: Look) -> tuple[int, int] | None:
    """The place of the number that looks most like a code, where no rule names one; or None."""
    folded = looked.folded
    body = without_links(folded)
    if looked.bracketed:
        start, end = looked.bracketed
        body = f"{body[:start]}{' ' * (end - start)}{body[end:]}"
    found = sorted(numbers(body), key=lambda number: (not number.sure, number.start))
    if found:
        return looked.unfolded((found[0].code, found[0].end))
    loose = _LOOSE.search(body)
    return looked.unfolded(loose.span()) if loose else None


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
        return _without_number(folded, body), None
    scripts = scripts_of(body)
    words = sorted(word for script in scripts for word in script.words(body)) if found else []
    code = _code(folded, body, found, words, scripts, hashed=hashed is not None) if found else None
    if code is None and short:
        code = _cut_off(body, found, scripts, signed=signature is not None)
    if code is None and not words:
        return ("wordless" if found else _without_number(folded, body)), None
    return code or ("nothing", None)


def _without_number(folded: str, body: str) -> str:
    """The rule for a text that shows nothing of the shape of a code."""
    if "0" in body:
        return "shapeless"
    return "link" if has_link(folded) else "numberless"


def _code(
    folded: str,
    body: str,
    found: list[Number],
    heard: list[Word],
    scripts: list[Script],
    *,
    hashed: bool,
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
        return "nothing", None
    if rule == "named" and number.form is Form.MIXED and of_another(body, number, words, scripts):
        return "nothing", None
    if rule == "weak":
        rule = weak_rule(body, number, scripts)
        if rule == "nothing":
            return rule, None
    if SPAM.search(body):
        return "spam", None
    if (
        LEAVE.search(body)
        and (rule != "named" or has_link(folded))
        and not (to_keep(body, number, scripts) and not other_scene(body, number, scripts))
    ):
        return "spam", None
    return rule, (number.code, number.end)


def _cut_off(
    body: str, found: list[Number], scripts: list[Script], *, signed: bool
) -> _Decision | None:
    """The rule for a short text that breaks off without an end; None if it does not look so."""
    if found:
        number = found[0]
        if leading(body, number) and _CUT_YOURS.match(body, number.end):
            return "cut-off", (number.code, number.end)
        return None
    if _WHOLE.search(body) or TELLING.search(body) or SPAM.search(body) or LEAVE.search(body):
        return None
    named = max((script.last_name(body) for script in scripts), default=0)
    if (named and len(body) - named <= _CUT_CHARS) or f" {body}".endswith(_CUT_NAMES):
        return "cut-off", None
    if signed and len(body) <= _SIGNATURE_PREFIX_CHARS and _LOGGING_IN.search(body):
        return (
            None if any(script.other_scene(body) for script in scripts) else ("cut-off-login", None)
        )
    return None
