"""Read the text of a message with the rules: which rule decides, where the code is, who signs.

The idea: every number in a text belongs to the word that names it ("code", "order number"). Numbers
that look like a code are found (`shapes`), and words that name numbers (`scripts`). Each number is
assigned to the word nearest to it (`owners`), and the kind of this word decides. Pick-up numbers,
the last digits of cards and phone numbers have other names, so they are not codes. If no word names
a number, several cues together can make it a code (`cues`). Other content of the text can be
evidence against a code (`scenes`).

Digits are masked before a text is read, so all messages of one template need only one reading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from detectors.recognise.rules import glance
from detectors.recognise.rules.glance import Glance
from detectors.recognise.rules.naming import (
    find_supported,
    is_owned_by_other,
    owned_codes,
    without_objects,
)
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.rules.scenes import (
    advertises,
    is_other_scene,
    of_another,
    sells,
    weak_rule,
)
from detectors.recognise.rules.shapes import (
    HOST_LINE,
    Form,
    Number,
    app_hash,
    has_invitation,
    has_link,
    leading,
    links,
    numbers,
    sentence_span,
    without_links,
)
from detectors.recognise.rules.signature import signature_span
from detectors.recognise.rules.traits import traits_of
from detectors.recognise.text.fold import fold, map_places, mask
from detectors.recognise.text.gather import join_separated
from detectors.recognise.text.patterns import section
from detectors.recognise.text.sentences import STOP
from detectors.recognise.text.spelled import convert_spelled
from detectors.recognise.vocabulary.owners import (
    has_price,
    is_mentioned,
    is_owned,
    is_spent,
    list_cut_names,
    of_receipt,
    pattern,
)
from detectors.recognise.vocabulary.scripts import (
    LOGIN,
    SCENE,
    VERIFY,
    Word,
    cues_of,
    last_name,
    says,
    scripts_of,
)

_SEEN: Final = section("reading")

HEAD_CHARS: Final = 400
TAIL_CHARS: Final = 100
"""Characters that are read at the beginning and at the end of a long text. Chosen: a code is in the
first six segments of 70 characters, and a host line or signature is at the end. The cost per text
is bounded by 501 characters."""
READ_CHARS: Final = HEAD_CHARS + 1 + TAIL_CHARS  # with the line break between the two parts
_FEW: Final = 4  # fewer texts are parsed one by one, which is faster than numpy
_DEEP_CHARS: Final = 1_600  # a code is searched in the first ten segments of a long text
_DEEP_BEFORE: Final = 70
_DEEP_AFTER: Final = 30

# These values were chosen so that the training texts are read correctly.
_PREFIX_CHARS: Final = 72  # a feed's prefix has 20-70 characters; 2 more for decoding errors
_CUT_CHARS: Final = 12  # largest distance between a name for codes and the end of a prefix
_SCRIPTS_MAX: Final = 3
_NUMBERS_MAX: Final = 9
"""Scripts and numbers that the rules read in one text. In a text with more of them, or with more
load, the score alone decides, so that a hostile text cannot be slow. Chosen: four of 36,000
labelled and unselected texts have more."""
_LOAD_MAX: Final = 210
"""Largest load of a text. Each place where a word may begin is 1. Chosen: of 36,000 labelled and
unselected texts five have more."""
_LOAD_OF_NUMBER: Final = 8
_LOAD_OF_WORD: Final = 6
_LOAD_OF_STOP: Final = 4
"""Cost of a number, of a word that names numbers, and of the end of a sentence, relative to a place
where a word may begin."""
_LATE_DIGITS: Final = {  # Tibetan, Shan, Mongolian; `fold` keeps them because of platform names
    zero + digit: "0" for zero in (0x0F20, 0x1090, 0x1810) for digit in range(10)
}
_SHOWS: Final = "000"  # part of all matches; a match may begin with the space before it
_RUN: Final = re.compile("0{3,}")
_RUNS_MAX: Final = 4
_NAMED: Final = frozenset({"name", "weak name"})  # traits
USED: Final = frozenset({"purpose", "secret", "typed"})
"""Traits of a text about the use of a code: its purpose, keeping it secret, where to type it."""
_UNUSUAL: Final = frozenset({Form.MIXED, Form.DASHED, Form.ODD})
_LINK_CHARS: Final = 200  # longest text with a verification link; longer ones are advertising
_TOKEN_CHARS: Final = 6  # chosen: shorter paths are addresses of a shortener under its own name
_SOLD: Final = frozenset({"price", "way out", "phone", "other scene"})  # traits of advertising
_ADVERT: Final = frozenset({"way out", "price", "other scene"})
"""Traits of a text that may have an advert beside a code."""
_BESIDE_ADVERTS: Final = frozenset({"named", "letter-code", "weak-login"})
"""Rules that find a code whatever the other sentences of a text advertise."""
_Decision = tuple[str, tuple[int, int] | None]  # rule, span of the code


class Reading(NamedTuple):
    """The result of the rules for a masked text."""

    rule: str  # a key of RULES
    code: tuple[int, int] | None = None  # start and end of the code in the masked text
    traits: tuple[str, ...] = ()  # keys of TRAITS
    part: Look | None = None  # what was judged, if the other sentences advertise


def excerpt(text: str) -> str:
    """Return the part of a text that is read: all of it, or its `parts` joined by line breaks."""
    if len(text) <= READ_CHARS:
        return text
    return "\n".join(text[start:end] for start, end in parts(text))


def parts(text: str) -> list[tuple[int, int]]:
    """Return the spans of a long text that are read: its head, perhaps a middle part, its tail.

    A code may follow a page of terms. If a number with the shape of a code is after the head, the
    number and the text around it are read, and the head is shortened by the same length.
    """
    tail = len(text) - TAIL_CHARS
    deep = _SEEN.deep.search(text, HEAD_CHARS, min(tail, _DEEP_CHARS))
    if deep is None:
        return [(0, HEAD_CHARS), (tail, len(text))]
    start = max(HEAD_CHARS - _DEEP_BEFORE - _DEEP_AFTER, deep.start() - _DEEP_BEFORE)
    end = min(tail, start + _DEEP_BEFORE + _DEEP_AFTER - 1)
    return [(0, HEAD_CHARS - _DEEP_BEFORE - _DEEP_AFTER), (start, end), (tail, len(text))]


def in_text(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """Convert a span in the excerpt to the span in the whole text."""
    if len(text) <= READ_CHARS:
        return span
    start, end = span
    for first, last in parts(text):
        if start <= last - first:
            return first + start, first + end
        start, end = start - (last - first) - 1, end - (last - first) - 1
    raise AssertionError(span)


class Look(NamedTuple):
    """A parsed text: the folded excerpt, its signature, and its host line.

    `signature` and `host` are spans in the masked excerpt, all others are spans in `folded`.
    """

    folded: str
    bracketed: tuple[int, int] | None  # the signature, in `folded`
    host_line: re.Match[str] | None
    places: list[int] | None  # place of each character of `folded`; None if all are the same
    cased: str  # `folded` before lowercasing, with the same number of characters
    may: int  # bits of `glance` for searches that are needed; ALL without a prescan

    @property
    def signature(self) -> tuple[int, int] | None:
        """The span of the signature."""
        return self.unfold(self.bracketed)

    @property
    def host(self) -> tuple[int, int] | None:
        """The span of the host in the last line."""
        return self.unfold(self.host_line.span(1)) if self.host_line else None

    @property
    def for_app(self) -> bool:
        """Return whether the text begins with `<#>`, as texts for an Android app do."""
        return "<#>" in self.folded and self.folded.lstrip().startswith("<#>")

    def unfold(self, span: tuple[int, int] | None) -> tuple[int, int] | None:
        """Convert a span in `folded` to a span in the masked excerpt."""
        if span is None or self.places is None:
            return span
        return self.places[span[0]], self.places[span[1] - 1] + 1


def look(masked: str) -> Look:
    """Parse a masked excerpt: fold it, and find its signature and host line."""
    folded = fold(masked)
    if not masked.isascii():
        folded = mask(folded)  # folding converts native digits to ASCII digits
        if _SEEN.late_digit.search(folded):
            folded = folded.translate(_LATE_DIGITS)
    places = None if len(folded) == len(masked) else map_places(masked)
    return _look(masked, folded, places, glance.ALL)


@dataclass(frozen=True, slots=True)
class Glanced:
    """Several masked excerpts after a common prescan. Each one is parsed on demand."""

    masked: Sequence[str]
    glance: Glance | None  # result of the prescan; None if all texts are in `looks`
    looks: dict[int, Look]  # texts that were parsed already, by index

    def texts(self) -> list[str]:
        """Return the folded texts, equal to those of `look`."""
        if self.glance is None:
            return [each.folded for each in self.looks.values()]
        folded = self.glance.texts()
        for at, each in self.looks.items():
            folded[at] = each.folded
        return folded

    def look(self, at: int) -> Look:
        """Parse one text of these. The result is that of the function `look`, except for `may`."""
        made = self.looks.get(at)
        if made is None and self.glance is not None:
            made = _look(self.masked[at], self.glance.text(at), None, int(self.glance.may[at]))
        assert made is not None, "where nobody glanced there is a look at each"
        return made


def prescan_texts(masked: Sequence[str]) -> Glanced:
    """Prescan masked excerpts. For many texts this takes a fifth of the time of parsing each."""
    if len(masked) < _FEW or "\0" in "".join(masked):
        return Glanced(masked, None, dict(enumerate(map(look, masked))))
    seen = glance.prescan(masked)
    looks = {}
    for at in (seen.may & glance.HIDES).nonzero()[0].tolist():
        hides, text = int(seen.may[at]), masked[at]
        closely = hides & glance.CLOSELY
        looks[at] = look(text) if closely else _look(text, seen.text(at), None, hides)
    return Glanced(masked, seen, looks)


def _look(masked: str, folded: str, places: list[int] | None, may: int) -> Look:
    """Parse a folded text. `places` are the places of its characters if some were removed."""
    for bit, convert in ((glance.APART, join_separated), (glance.WORDS, convert_spelled)):
        folded, together = convert(folded) if may & bit else (folded, None)
        if together:
            places = [places[place] for place in together] if places else together
            may = glance.ALL
    host_line = HOST_LINE.search(folded) if "@" in folded else None
    cased = masked if places is None else "".join([masked[place] for place in places])
    return Look(folded, signature_span(folded), host_line, places, cased, may)


def read(looked: Look) -> Reading:
    """Apply the rules to a parsed text.

    >>> read(look(mask("【淘宝】验证码482913，请勿泄露")))[:2]
    ('named', (7, 13))
    """
    body = body_of(looked)
    if is_crowded(body) and not looked.host_line:
        return Reading("crowded")
    whole, part = None, None
    sold = (says(body, SCENE) or sells(body)) and not is_mentioned("spam", body)
    if sold and (part := _without_adverts(looked)):
        rule, code, traits = _decide(part)
        if rule in _BESIDE_ADVERTS and not (code and of_receipt(body, code[0])):
            offered = not _ADVERT.isdisjoint(traits) and USED.isdisjoint(traits)
            whole = _decide(looked) if offered else None
            if whole is None or whole[0] != "spam":
                return Reading(rule, part.unfold(code), traits, part)
    rule, code, traits = whole or _decide(looked)
    return Reading(rule, looked.unfold(code), traits)


def _without_adverts(looked: Look) -> Look | None:
    """Return the text up to the first sentence behind its first number that advertises.

    What another sentence sells says nothing about the number: "Your login code is 4829. 20% off
    today! Reply STOP to opt out". None if no sentence behind the number advertises.
    """
    folded = looked.folded
    digits = _RUN.search(folded)
    if digits is None or looked.host_line:
        return None
    stops = [stop.end() for stop in STOP.finditer(folded)]
    starts = [0, *(stop for stop in stops if folded[stop:].strip())]
    own = sum(start <= digits.start() for start in starts) - 1
    ends = [*starts[1:], len(folded)]
    for start, end in zip(starts[own + 1 :], ends[own + 1 :], strict=True):
        if advertises(folded[start:end]):
            return looked._replace(
                folded=folded[:start], cased=looked.cased[:start], host_line=None, may=glance.ALL
            )
    return None


def likely(looked: Look) -> tuple[int, int] | None:
    """Return the span of the number that looks most like a code, or None.

    Use this for a text in which no rule finds a code. The span is in the masked excerpt.
    """
    return looked.unfold(likely_folded(looked))


def likely_folded(looked: Look) -> tuple[int, int] | None:
    """Like `likely`, but the span is in `folded`. None if only a link can be the verification."""
    body = body_of(looked)
    found = sorted(numbers(body), key=lambda number: (not number.sure, number.start))
    if found:
        return found[0].code, found[0].end
    if random := _SEEN.random.search(looked.cased):
        return random.span()
    if has_link(looked.folded) and not _SEEN.hidden.search(body):
        return None  # other numbers are a time, a day or the link's validity
    loose = _SEEN.loose.search(body)
    return loose.span() if loose else None


def shown_at(looked: Look) -> tuple[int, int] | None:
    """Return the span in `folded` of the first number of the usual shape of a code, or None.

    Applies no rules.
    """
    first = looked.folded.find(_SHOWS)
    found = _SEEN.shown.search(looked.folded, max(0, first - 1)) if first >= 0 else None
    return (found.end() - len(found[0].lstrip()), found.end()) if found else None


def tells_spent(looked: Look) -> bool:
    """Return whether a text may describe a number as a used or expired code. Applies no rules."""
    body = looked.folded
    return looked.may & glance.SPENT > 0 and any(
        is_spent(body, *run.span()) for run in islice(_RUN.finditer(body), _RUNS_MAX)
    )


def may_be(looked: Look, reading: Reading) -> bool:
    """Return whether a text can be a verification message although no rule finds a code.

    This is true if the text has something that can be a code: a number of a suitable shape,
    separated digits, digits written as words, or random letters. A link alone is not enough: rule
    `link-login` decides whether a link verifies.
    """
    body = body_of(looked)
    if _SEEN.hidden.search(body) or any(
        number.form is not Form.ODD
        or _NAMED.intersection(reading.traits)
        or (
            _SEEN.digits.fullmatch(body, number.code, number.end)
            and USED.intersection(reading.traits)
        )
        for number in numbers(body)
    ):
        return True
    return (
        reading.rule == "shapeless"
        and "long" not in reading.traits
        and ("name" in reading.traits or not has_link(looked.folded))
        and _SEEN.random.search(looked.cased) is not None
    )


def unusual(looked: Look) -> bool:
    """Return whether all numbers mix letters and digits or have groups. Few codes look so."""
    found = numbers(body_of(looked))
    return bool(found) and all(number.form in _UNUSUAL for number in found)


def names_codes(sender: str) -> bool:
    """Return whether a normalised sender's name describes codes: OTP, AUTHMSG, VERIFY."""
    return not sender.isdigit() and _SEEN.code_sender.search(sender) is not None


def body_of(looked: Look) -> str:
    """Return the folded text with spaces in place of its signature and links."""
    body = looked.folded
    if looked.bracketed:
        start, end = looked.bracketed
        body = f"{body[:start]}{' ' * (end - start)}{body[end:]}"
    return without_links(body)


def _decide(looked: Look) -> tuple[str, tuple[int, int] | None, tuple[str, ...]]:
    folded, signature, host_line = looked.folded, looked.bracketed, looked.host_line
    body = body_of(looked)
    if host_line:
        first = next(iter(numbers(body[: host_line.start()])), None)
        return "host-line", (first.code, first.end) if first else host_line.span(2), ()
    hashed = app_hash(folded)
    if hashed is not None:
        body = body[:hashed]
    body, shown = _without_others(looked, body)
    found = list(shown) or [Number(*span, Form.LETTERS) for span in _words(looked)]
    short = len(folded) <= _PREFIX_CHARS and not _SEEN.end.search(folded)
    linked = has_link(folded)
    if not (found or short or linked or "0" in body):
        return "numberless", None, ()
    if found and found[0].form is not Form.LETTERS and looked.may & glance.SPENT:
        found = _unspent(body, found)
        if not found:
            return "spent", None, ()
    words = sorted(word for script in scripts_of(body) for word in script.words(body))
    leaves = is_mentioned("leave", body)
    code = None
    if found:
        code = _code(folded, body, found, words, hashed=hashed is not None, leaves=leaves)
    letters = bool(found) and found[0].form is Form.LETTERS
    if letters and code and not _of_letters(looked, body, code):
        code = None
    if code is None and not leaves and not is_mentioned("spam", body):
        alone = () if letters and _SEEN.no_capitals.search(looked.cased) else found
        code = _cut_off(body, alone) if short else None
    traits = traits_of(body, found, words, signed=signature is not None, leaves=leaves)
    return *(code or (_no_code(looked, body, found, words, traits), None)), tuple(traits)


def is_crowded(body: str) -> bool:
    """Return whether the rules would take too long to read a text. See `_LOAD_MAX`."""
    scripts = scripts_of(body)
    if len(scripts) > _SCRIPTS_MAX:
        return True
    load = sum(len(script.heads(body)) for script in scripts)
    if load <= _LOAD_MAX:  # only then the words and numbers are read
        load += _LOAD_OF_WORD * sum(len(script.words(body)) for script in scripts)
        load += _LOAD_OF_NUMBER * len(numbers(body)) + _LOAD_OF_STOP * len(STOP.findall(body))
    return load > _LOAD_MAX or len(numbers(body)) > _NUMBERS_MAX


def _without_others(looked: Look, body: str) -> tuple[str, Sequence[Number]]:
    """Return a text and its numbers without names (Bet365) and others' numbers (user 110024).

    The text gets letters in place of the digits of names. Nothing is left out if none of the other
    numbers has the usual form of a code.
    """
    found = numbers(body)
    names = [
        n
        for n in found
        if n.form is Form.MIXED and _SEEN.name.fullmatch(looked.cased, n.code, n.end)
    ]
    left = [n for n in found if n not in names and not is_owned(body, n.code, n.end, "other")]
    if not any(number.sure for number in left):
        return body, found
    for _, start, end, _ in names:
        body = f"{body[:start]}{body[start:end].replace('0', 'x')}{body[end:]}"
    return body, left


def _no_code(
    looked: Look,
    body: str,
    found: Sequence[Number],
    words: list[Word],
    traits: Sequence[str],
) -> str:
    """Return the rule for a text without a code by any word: perhaps its link verifies."""
    if found and found[0].form is not Form.LETTERS:
        if all(is_owned_by_other(body, number, words) for number in found):
            return "held"
        return "nothing" if words else "wordless"
    linked = has_link(looked.folded)
    if (linked and _logs_in(looked, traits)) or is_mentioned("replied", body):
        return "link-login"
    random = bool(found) and _SEEN.random.search(looked.cased) is not None
    return "shapeless" if "0" in body or random else "link" if linked else "numberless"


def _unspent(body: str, found: list[Number]) -> list[Number]:
    """Return the numbers that may be a code, without codes that were used already.

    Returns no number at all if a used code authorised a payment that the text reports.
    """
    left = [number for number in found if not is_spent(body, number.start, number.end)]
    used = [number for number in found if number not in left]
    return [] if any(of_receipt(body, number.start) for number in used) else left


def _logs_in(looked: Look, traits: Sequence[str]) -> bool:
    """Return whether the link of a text verifies its reader, as links to log in or sign up do.

    The text is short, and the sentence of the link names a log-in or what is verified. The text
    neither sells nor lures. The link was made for one recipient.
    """
    return (
        len(looked.folded) <= _LINK_CHARS
        and _links_to_log_in(looked.folded)
        and _SOLD.isdisjoint(traits)
        and verifies(looked.folded)
        and not is_mentioned("lure", looked.folded)
    )


def verifies(folded: str) -> bool:
    """Return whether a text has a link that can verify, because it was made for one recipient.

    The path of such a link has a letter beside a digit, or a word such as "verify". The path of a
    URL shortener is always a token, so it must have such a word and a digit.
    """
    for link in (folded[start:end] for start, end in links(folded)):
        path = link.find("/", link.find("://") + len("://") if "://" in link else 0)
        if pattern("shared").match(link):
            if "0" in link and _SEEN.word.search(link):
                return True
        elif 0 <= path < len(link) - _TOKEN_CHARS and _SEEN.token.search(link, path):
            return True
    return False


def _links_to_log_in(folded: str) -> bool:
    """Return whether the sentence of a link names a log-in, or says what the link verifies."""
    body = without_links(folded).replace("\n", " ")
    return any(
        says(body, LOGIN, first, last)
        or (says(body, VERIFY, first, last) and is_mentioned("verified", body[first:last]))
        for first, last in (sentence_span(body, start, end) for start, end in links(folded))
    )


def _of_letters(looked: Look, body: str, code: _Decision) -> bool:
    """Return whether a word of letters is a code.

    It is a code if a name that only codes have precedes it, or if its letters are random (SUMMER is
    a shop's code). After a weak name such as "code", random letters must also be introduced ("your
    code is QGFDAE"), or the text must be about logging in.
    """
    rule, span = code
    if span is None or rule == "named":
        return rule == "named"
    random = _SEEN.random.fullmatch(looked.cased, *span)
    return (random is not None and random[0].isupper()) and (  # not lowercase, as in "https"
        rule == "weak-login" or pattern("link_end").search(body, 0, span[0]) is not None
    )


def _words(looked: Look) -> list[tuple[int, int, int]]:
    """Return the words in capitals that may be codes, except those in the signature.

    If the whole text is in capitals, capitals mean nothing, and the list is empty.
    """
    if looked.cased.isupper() and not _SEEN.no_capitals.search(looked.cased):
        return []
    start, end = looked.bracketed or (0, 0)
    places = sorted(
        {
            found.span()
            for pattern in (_SEEN.capitals, _SEEN.random)
            for found in pattern.finditer(looked.cased)
        }
    )
    return [(first, first, last) for first, last in places if last <= start or first >= end]


def _code(
    folded: str,
    body: str,
    found: Sequence[Number],
    words: list[Word],
    *,
    hashed: bool,
    leaves: bool,
) -> _Decision | None:
    words = without_objects(body, words)
    owned = owned_codes(body, found, words)
    if hashed:
        number = owned[0][1] if owned else found[0]
        return "app-hash", (number.code, number.end)
    owned = owned or find_supported(body, found, words)
    if not owned:
        return None
    rule, number = max(owned, key=lambda pair: RULES[pair[0]].confidence)
    named = rule == "named" and of_another(body, number, words)
    if named or is_mentioned("settings", body):
        return "held", None
    if rule == "weak" and (rule := weak_rule(body, number)) == "held":
        return rule, None
    linked, other = has_link(folded), is_other_scene(body, number)
    sells = (leaves or linked) and other
    invites = has_invitation(folded) and (not number.sure or has_price(body))
    if is_mentioned("spam", body) or ((sells or invites) and not cues_of(body)[1]):
        return "spam", None  # a prize or an advert calls its number a code
    if leaves and (linked or (other and rule != "named")):
        return "spam", None
    return rule, (number.code, number.end)


def _cut_off(body: str, found: Sequence[Number]) -> _Decision | None:
    if found:
        number = found[0]
        if leading(body, number) and pattern("cut_yours").match(body, number.end):
            return "cut-off", (number.code, number.end)
        return None
    if is_mentioned("whole", body) or is_mentioned("telling", body):
        return None
    named = last_name(body)
    cut = f" {body}".endswith(list_cut_names())
    return ("cut-off", None) if cut or (named and len(body) - named <= _CUT_CHARS) else None
