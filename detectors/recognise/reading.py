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
from detectors.recognise.scripts import Script, scripts_of
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
_Decision = tuple[str, tuple[int, int] | None]  # rule, span of the code


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
    scripts = scripts_of(body)
    code = _code(folded, body, found, scripts, hashed=hashed is not None) if found else None
    if code is None and short:
        code = _cut_off(body, found, scripts, signed=signature is not None)
    return code or ("nothing", None)


def _code(
    folded: str, body: str, found: list[Number], scripts: list[Script], *, hashed: bool
) -> _Decision | None:
    """The rule for a text by the words that own its numbers; None if none of them is a code."""
    words = [word for script in scripts for word in script.words(body)]
    words = without_objects(body, sorted(words))
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
