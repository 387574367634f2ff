"""The name of a platform in the running text, where sender and signature name nobody.

"Your Tandem code is 4829" from AUTHMSG is Tandem's: a word with a capital behind "your" or in front
of "code", the beginning before a colon, what a Chinese text says one logs in to. A name holds no
digits, for the digits of a text are not remembered; it earns no trust, for anybody can write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from detectors.recognise.capitals import (
    AMOUNT,
    AMOUNT_CHARS,
    ANY_WORD,
    CERTAIN,
    FIRST_CHARS,
    SURE,
    Place,
    capitals,
    head,
    is_channel,
    is_greeted,
    likely,
    small,
)
from detectors.recognise.fold import fold, name_key
from detectors.recognise.keys import BRAND, brand_key
from detectors.recognise.names import WORDS, is_plain, listed, names_a_code
from detectors.recognise.reading import Look
from detectors.recognise.registry import Registry
from detectors.recognise.scenes import price
from detectors.recognise.uncased import between, runs, uncased

_OF_GOOGLE: Final = re.compile("(?<![\\w-])G-0{5,8}(?![\\w-])")  # nobody else writes codes so
_BETWEEN: Final = re.compile("| |[.&'’+!-]| [&-] ")
_SPOTS_MAX: Final = 48  # words of a text that are looked up
_LETTERS: Final = re.compile("[^\\W\\d_]")
_HEAD_MARK: Final = re.compile("\\W{0,2}\\s?[:：|>»\\])】-]|[.] ")
_ENDING: Final = 3  # letters of a case's ending, at most
_STEM_MIN: Final = 5  # letters of a name that is looked for without it
_SHORT_ENDING: Final = re.compile("(?<=^[a-z]{4})(?:i|n|in|iin|an|u|a|em|od|on|il|lla|ssa)$")
"""The endings with which a name of four letters is looked for: Woltin, Boltu."""
_CONSONANTS: Final = re.compile("[B-DF-HJ-NP-TV-XZ]{4,9}")  # a code in letters, rather
_NO_HEAD: Final = re.compile(" ?[!,.]")  # behind a first word that is an ordinary one
_CAPITAL_BEHIND: Final = re.compile(" [A-Z\u00c0-\u00de]")  # Free Mobile
_INSIDE: Final = re.compile("[\u30a1-\u30fa\u30fc][\u30a1-\u30fa\u30fc]")
_LAST: Final = re.compile("(?: [A-Z][A-Za-z]{1,11})?\\W*$")
_BEFORE_LAST: Final = re.compile("[.!?)\n-][\\s-]{0,3}$")
_DIGITS_IN: Final = re.compile(
    "(?<![\\w@./-])(?=[A-Za-z0]*[A-Z])(?:[A-Za-z]{3,15}0{1,4}|0{1,2}[A-Za-z]{3,15})(?![\\w@/-])"
)
_CODE: Final = re.compile("(?<![\\w-])0{4,8}(?![\\w-])")
_STOP: Final = re.compile("[.!?]\\s|[\n。！？]")
_FORBIDDEN: Final = re.compile("(?:勿|不要|不会|不會|不得|严禁|嚴禁)[^。！!；;，,\\n]{1,30}")
"""A clause on what nobody should do: 请勿通过微信转发. Who is named there did not send it."""


def brand(registry: Registry, looked: Look) -> str | None:
    """The key of the platform that a text names, or None.

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
        return brand_key(registry, "google")
    text = _FORBIDDEN.sub(lambda clause: " " * len(clause[0]), text)
    first = head(text)
    if found := _from_list(registry, text):
        return _rival(registry, text, first, found) or brand_key(registry, found.name)
    names = first + uncased(text)
    for name in (*names, *runs(text)):
        known = registry.signature(name)
        if known and not (first and name not in first and _paid(text, name)):
            return f"{BRAND}{known.key}"
    if (digits := _with_digits(text)) is not None:
        return brand_key(registry, digits)
    for name in chain(names, _later(text)):
        spelled = name not in first and _CONSONANTS.fullmatch(name)
        if not spelled and (key := _as_key(registry, name)):
            return key
    return None


def _with_digits(text: str) -> str | None:
    """Return a name with digits in a name's place, beside a code: Bet365 of "Your Bet365 code".

    The digits are masked, so names that differ in them alone share a key.
    """
    for found in _DIGITS_IN.finditer(text) if _CODE.search(text) else ():
        start, end = found.span()
        heads = start <= FIRST_CHARS and text[end : end + 1] == ":"
        if (heads or likely(text, start, end) >= SURE) and not is_plain(found[0].strip("0")):
            return found[0]
    return None


def _later(text: str) -> Iterator[str]:
    """Names by their places, looked for only where no better one was found."""
    yield from (place.name for place in capitals(text))
    yield from small(text)
    yield from between(text)


def _as_key(registry: Registry, name: str) -> str | None:
    """The platform's key for a name of the text; None if it is no name but what a code is called.

    Nor may it hold digits.
    """
    key = name_key(name)
    if names_a_code(name) or not 2 <= len(key) <= 24 or any(letter.isdigit() for letter in key):
        return None
    return brand_key(registry, name)


def _rival(registry: Registry, text: str, head: list[str], listed_: Place) -> str | None:
    """The key of a name that stands in a better place than the listed one, which may be a channel.

    Who writes stands first: of places that are as good the earlier one counts if a sentence ends
    between the two, or if the later one is where something is paid.
    """
    if listed_.worth >= CERTAIN or _LETTERS.search(text, 0, listed_.start) is None:
        return None
    own = {name_key(text[listed_.start : listed_.end]), listed_.name}
    for place in (*(Place(SURE, 0, 0, name) for name in head), *capitals(text)):
        least = SURE if place.start < listed_.start else CERTAIN
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


def _from_list(registry: Registry, text: str) -> Place | None:
    """The listed or registered name that stands where names do, else any other one.

    Names of up to three words, whatever their capitals; an ordinary word such as "line" only with a
    capital and in a name's place, and nothing behind an amount of money, which is where the money
    goes, nor what is only a way to send something.
    """
    best: Place | None = None
    for start, end, key in _spots(registry, text):
        worth = likely(text, start, end)
        first = _LETTERS.search(text, 0, start) is None
        ordinary = key in listed().ordinary
        if first and _HEAD_MARK.match(text, end):
            worth += 3
        elif first and (worth > 1 or not ordinary or _CAPITAL_BEHIND.match(text, end)):
            worth += 1
        elif _LAST.match(text, end) and _BEFORE_LAST.search(text, max(0, start - 4), start):
            worth += 5  # who signs
        if AMOUNT.search(text, max(0, start - AMOUNT_CHARS), start):
            worth -= 4
        if ordinary:
            small = not text[start:end][:1].isupper()
            greeted = is_greeted(text, start, end) or (first and _NO_HEAD.match(text, end))
            worth -= 4 if small or greeted else 1
        elif worth == 0 and key not in WORDS["channels"]:
            worth = 1  # wherever it stands
        if worth <= SURE and is_channel(text, start, key):
            continue
        if worth > 0 and (best is None or worth > best.worth):
            best = Place(worth, start, end, key)
    return best


def _spots(registry: Registry, text: str) -> Iterator[tuple[int, int, str]]:
    """Each listed or registered name in a text: where it begins, where it ends, and its key."""
    names, known = listed().names, registry.signatures
    words = list(islice(ANY_WORD.finditer(text), _SPOTS_MAX))
    keys = [_spelled(word[0]) for word in words]
    at = 0
    while at < len(words):
        for count in (3, 2, 1):
            key = "".join(keys[at : at + count])
            if count == 1 and key not in names and words[at][0][0].isupper():
                key = _stem(text, words[at], key)
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
                if _INSIDE.match(text, max(0, found.start() - 1)):
                    continue  # オンライン is not LINE
                yield found.start(), found.end(), found[0]


def _spelled(word: str) -> str:
    """A word as a name's key has it; one that only folds to a name is left as it is written."""
    lower = word.lower()
    return lower if lower.isascii() or lower in WORDS["unfolded"] else fold(word)


def _stem(text: str, word: re.Match[str], key: str) -> str:
    """A listed name without the ending of a case: Telegramu, Googleov; else what was given.

    A word in front of another capital has none: Robin Hollow is not Robi's.
    """
    names, ordinary = listed().names, listed().ordinary
    stems = (
        key[:stop] for stop in range(len(key) - 1, max(len(key) - 1 - _ENDING, _STEM_MIN - 1), -1)
    )
    found = next((stem for stem in stems if stem in names and stem not in ordinary), None)
    short = key[: _STEM_MIN - 1]
    if found is None and short in names and _SHORT_ENDING.search(key):
        found = short
    return key if found is None or _CAPITAL_BEHIND.match(text, word.end()) else found


def _paid(text: str, name: str) -> bool:
    """Tell if a name stands behind an amount of money."""
    at = text.find(name)
    return at > 0 and AMOUNT.search(text, max(0, at - AMOUNT_CHARS), at) is not None
