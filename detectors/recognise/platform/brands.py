"""Find a platform name in the running text, if neither sender nor signature names a platform.

"Your Tandem code is 4829" from AUTHMSG belongs to Tandem. Such a name is a word with a capital
after "your" or before "code", a word before a colon at the beginning, or the place where a Chinese
text says to log in. A name gives no trust, because anybody can write it.
"""

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

from detectors.recognise.platform.capitals import (
    AMOUNT,
    AMOUNT_CHARS,
    ANY_WORD,
    CERTAIN,
    SURE,
    Place,
    capitals,
    head,
    is_channel,
    is_greeted,
    likely,
    small,
)
from detectors.recognise.platform.keys import BRAND, brand_key, find_key
from detectors.recognise.platform.names import WORDS, is_plain, load_names, names_a_code
from detectors.recognise.platform.registry import Registry
from detectors.recognise.platform.uncased import between, find_uncased, runs
from detectors.recognise.rules.reading import Look
from detectors.recognise.text.fold import fold, name_key
from detectors.recognise.text.patterns import section
from detectors.recognise.vocabulary.owners import has_price

_SEEN: Final = section("brands")

_SPOTS_MAX: Final = 48  # largest number of words per text that are looked up
_ENDING: Final = 3  # longest grammatical case ending, in letters
_STEM_MIN: Final = 5  # shortest name from which an ending is removed
_DIGIT, _FIRST_DIGIT = "\u01a3", "\u01a2"
"""Letters that stand for the digits of a name while it is searched: no language of today has them.
A name that begins with a digit begins with a capital then."""


class Brand(NamedTuple):
    """The platform that a text names."""

    key: str
    """The platform's key. Empty if the digits at a name's place are no listed name."""
    span: tuple[int, int] | None = None
    """Place of a name with digits in the excerpt. Texts of one template may differ in them."""


def brand(registry: Registry, looked: Look, seen: str) -> Brand | None:
    """Return the platform that a text names, or None. `seen` is the excerpt with its digits.

    A listed name is used first, unless another name has a better place in the text. Without a
    listed name, the name at the most likely place is used.
    """
    found = _find_brand(registry, looked)
    if isinstance(found, str):
        return Brand(found)
    span = looked.unfold(found or _find_number(looked.folded))
    if span is None:
        return None
    name = seen[slice(*span)]
    listed = find_key(registry, name_key(name)) or ""
    return Brand(brand_key(registry, name) if found else listed, span)


def _find_number(folded: str) -> tuple[int, int] | None:
    """Return the span of digits at a place where only a name stands: "Your 4399 code is 482913".

    Such a name has fewer than three letters, as a reference or a code has, so it must be listed.
    Another number of the text must be the code.
    """
    for word in islice(_SEEN.numbered.finditer(folded), _SPOTS_MAX):
        start, end = word.span()
        if not (_SEEN.code.search(folded, 0, start) or _SEEN.code.search(folded, end)):
            continue
        first = _SEEN.letters.search(folded, 0, start) is None and _SEEN.head_mark.match(
            folded, end
        )
        if first or likely(folded, start, end) >= CERTAIN:
            return start, end
    placed = _SEEN.code.search(folded) and _SEEN.numbered_chinese.search(folded)
    return placed.span(1) if placed else None


def _find_brand(registry: Registry, looked: Look) -> str | tuple[int, int] | None:
    """Return the key of the named platform, or the span in `folded` of a name with digits."""
    text = looked.cased
    if looked.places is not None:  # digits written as words or in other scripts
        pairs = zip(text, looked.folded, strict=True)
        text = "".join(["0" if folded == "0" else letter for letter, folded in pairs])
    if looked.bracketed:
        start, end = looked.bracketed
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    if _SEEN.of_google.search(text):
        return brand_key(registry, "google")
    text = _SEEN.forbidden.sub(lambda clause: " " * len(clause[0]), text)
    first = head(text)
    if found := _from_list(registry, text):
        if rival := _rival(registry, text, first, found):
            return rival
        own = found.start, found.end
        return own if "0" in text[slice(*own)] else brand_key(registry, found.name)
    if _SEEN.code.search(text):
        text = _SEEN.mixed.sub(_as_letters, text)
        first = head(text)
    names = first + find_uncased(text)
    for name in (*names, *runs(text)):
        known = registry.signature(name)
        if known and not (first and name not in first and _follows_amount(text, name)):
            return f"{BRAND}{known.key}"
    for name in chain(names, _later(text)):
        spelled = name not in first and _SEEN.consonants.fullmatch(name)
        if not spelled and (key := _as_key(registry, name)):
            at = text.find(name)
            digits = at >= 0 and (_DIGIT in name or _FIRST_DIGIT in name)
            return (at, at + len(name)) if digits else key
    return None


def _as_letters(word: re.Match[str]) -> str:
    """Return a word of letters and digits with letters in place of the digits, if it may be a name.

    The word is then found by its place, like any other name: "Your Bet365 code is 4829".
    """
    letters, text = word[0].replace("0", ""), word.string
    first = _SEEN.letters.search(text, 0, word.start()) is None and _SEEN.head_mark.match(
        text, word.end()
    )
    even = letters.isupper() or letters.islower()  # Ref ORDER55, 30minutes
    if is_plain(letters) or (even and not first and likely(text, *word.span()) < SURE):
        return word[0]
    spelled = word[0].replace("0", _DIGIT)
    return _FIRST_DIGIT + spelled[1:] if spelled[0] == _DIGIT else spelled


def _later(text: str) -> Iterator[str]:
    """Yield names by their places. They are searched only if no better name was found."""
    yield from (place.name for place in capitals(text))
    yield from small(text)
    yield from between(text)


def _as_key(registry: Registry, name: str) -> str | None:
    """Return the platform key for a name in the text.

    Returns None for words that name codes, for names with digits, and for unusual lengths.
    """
    key = name_key(name)
    if names_a_code(name) or not 2 <= len(key) <= 24 or any(letter.isdigit() for letter in key):
        return None
    return brand_key(registry, name.replace(_DIGIT, "0").replace(_FIRST_DIGIT, "0"))


def _rival(registry: Registry, text: str, head: list[str], listed_: Place) -> str | None:
    """Return the key of a name at a better place than the listed name, which may be a channel.

    The author of a text is usually named first. If two places are equally good, the earlier one
    counts if a sentence ends between them, or if the later one is the place of a payment.
    """
    if listed_.worth >= CERTAIN or _SEEN.letters.search(text, 0, listed_.start) is None:
        return None
    own = {name_key(text[listed_.start : listed_.end]), listed_.name}
    for place in (*(Place(SURE, 0, 0, name) for name in head), *capitals(text)):
        least = SURE if place.start < listed_.start else CERTAIN
        if place.worth < max(least, listed_.worth) or _follows_amount(text, place.name):
            continue
        if any(key in name_key(place.name) for key in own):
            return None  # Amazon Prime
        if place.worth == listed_.worth and not (
            _SEEN.stop.search(text, place.end, listed_.start)
            or (place.end == 0 and has_price(fold(text)))
        ):
            continue
        if key := _as_key(registry, place.name):
            return key
    return None


def _from_list(registry: Registry, text: str) -> Place | None:
    """Return the listed or registered name at the most likely place of a text, or None.

    A name has up to three words, with or without capitals. An ordinary word such as "line" counts
    only with a capital and at a typical place of a name. A name after an amount of money is usually
    the receiver of the money and does not count, nor does a name that is only a way to send
    something.
    """
    best: Place | None = None
    for start, end, key in _spots(registry, text):
        worth = likely(text, start, end)
        first = _SEEN.letters.search(text, 0, start) is None
        ordinary = key in load_names().ordinary
        if first and _SEEN.head_mark.match(text, end):
            worth += 3
        elif first and (worth > 1 or not ordinary or _SEEN.capital_behind.match(text, end)):
            worth += 1
        elif _SEEN.last.match(text, end) and _SEEN.before_last.search(
            text, max(0, start - 4), start
        ):
            worth += 5  # who signs
        if AMOUNT.search(text, max(0, start - AMOUNT_CHARS), start):
            worth -= 4
        if ordinary:
            small = not text[start:end][:1].isupper()
            greeted = is_greeted(text, start, end) or (first and _SEEN.no_head.match(text, end))
            worth -= 4 if small or greeted else 1
        elif worth == 0 and key not in WORDS["channels"]:
            worth = 1  # at any other place
        if worth <= SURE and is_channel(text, start, key):
            continue
        if worth > 0 and (best is None or worth > best.worth):
            best = Place(worth, start, end, key)
    return best


def _spots(registry: Registry, text: str) -> Iterator[tuple[int, int, str]]:
    names, known = load_names().names, registry.signatures
    words = list(islice(ANY_WORD.finditer(text), _SPOTS_MAX))
    keys = [_spell_key(word[0]) for word in words]
    at = 0
    while at < len(words):
        for count in (3, 2, 1):
            key = "".join(keys[at : at + count])
            if count == 1 and key not in names and words[at][0][0].isupper():
                key = _stem(text, words[at], key)
            # The lookup comes first, because most words are no names.
            if not (key in names or key in known) or key.isdigit() or len(key) <= 1:
                continue
            if at + count <= len(words) and all(
                _SEEN.between.fullmatch(text, words[each].end(), words[each + 1].start())
                for each in range(at, at + count - 1)
            ):
                yield words[at].start(), words[at + count - 1].end(), key
                at += count - 1
                break
        at += 1
    if not text.isascii():
        folded = fold(text)
        if len(folded) == len(text):
            for found in load_names().unspaced.finditer(folded):
                if _SEEN.inside.match(text, max(0, found.start() - 1)):
                    continue  # オンライン is not LINE
                yield found.start(), found.end(), found[0]


def _spell_key(word: str) -> str:
    """Return a word in the spelling of a name's key.

    Words that equal a name only after folding are listed in `unfolded` and are not folded.
    """
    lower = word.lower()
    return lower if lower.isascii() or lower in WORDS["unfolded"] else fold(word)


def _stem(text: str, word: re.Match[str], key: str) -> str:
    """Return the listed name of a word with a case ending (Telegramu, Googleov), else `key`.

    A word before another capital has no case ending: "Robin Hollow" does not name "Robi".
    """
    names, ordinary = load_names().names, load_names().ordinary
    stems = (
        key[:stop] for stop in range(len(key) - 1, max(len(key) - 1 - _ENDING, _STEM_MIN - 1), -1)
    )
    found = next((stem for stem in stems if stem in names and stem not in ordinary), None)
    short = key[: _STEM_MIN - 1]
    if found is None and short in names and _SEEN.short_ending.search(key):
        found = short
    return key if found is None or _SEEN.capital_behind.match(text, word.end()) else found


def _follows_amount(text: str, name: str) -> bool:
    at = text.find(name)
    return at > 0 and AMOUNT.search(text, max(0, at - AMOUNT_CHARS), at) is not None
