"""Find platform names with capitals, or before a colon, and give points for their places.

The points say how typical a place is for the name of a platform, for example before "code".
"""

import re
from itertools import islice
from typing import Final, NamedTuple

from detectors.recognise.platform.names import (
    NO_CHINESE,
    WORDS,
    is_a_codes,
    is_plain,
    is_stop,
    load_names,
)
from detectors.recognise.platform.traps import names_other
from detectors.recognise.text.fold import fold, name_key
from detectors.recognise.text.patterns import section

_SEEN: Final = section("capitals")

_NAME_WORDS: Final = 3  # largest number of words in a name
FIRST_CHARS: Final = 6
_APART: Final = 3  # a title and its name have fewer characters between them
_NAMES_MAX: Final = 24  # largest number of words with a capital that are used


LATIN: Final = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
ANY_WORD: Final = re.compile(  # "n'est" and "don't" are one word
    f"(?:[{LATIN}]{{1,2}}['’](?=[a-z]{{2}}))?[0-9{LATIN}]+|[^\\W_0-9{LATIN}]+"
)
SURE: Final = 4  # points of a name at a typical place
CERTAIN: Final = 7  # points with typical words on both sides; nothing is more certain
AMOUNT: Final = re.compile(
    "(?:0[.,]0|(?:eur|usd|inr|rs|rp|tl|sar|aed|rub|pln|czk|[$€£₹₽¥])[. ]?0)[^:;\n]{0,24}$",
    re.IGNORECASE,
)
AMOUNT_CHARS: Final = 48
_SENTENCE_CHARS: Final = 96
_WAYS: Final = 5  # words after "by" that can be channels: by email, phone, SMS or WhatsApp
_TAILS: Final = frozenset({"pago", "pay", "now", "go"})
_LAST_LATIN: Final = "\u024f"
_SIGNS_MAX: Final = 28  # longest name at the end of a text, in characters
_SIGNS_AFTER: Final = 4


class Place(NamedTuple):
    """A name, or the key of a listed name, with its place in a text and its points (`worth`)."""

    worth: int
    start: int
    end: int
    name: str


def is_channel(text: str, start: int, key: str) -> bool:
    """Return whether a name is used as a channel, or in a sentence about what never happens.

    Example: "We never ask for it by email, WhatsApp or phone."
    """
    if key not in WORDS["channels"]:
        return False
    sentence = _SEEN.last_sentence.search(text, max(0, start - _SENTENCE_CHARS), start)
    words = [fold(word) for word in ANY_WORD.findall(sentence[0])] if sentence else []
    ways = (len(words) - at for at, word in enumerate(words, 1) if word in WORDS["by"])
    return min(ways, default=_WAYS) < _WAYS or not WORDS["never"].isdisjoint(words)


def small(text: str) -> list[str]:
    """Return lowercase names between words such as "your" and "code": "your ofo code"."""
    return [
        found[1]
        for pattern in _SEEN.every("small")
        if (found := pattern.search(text))
        and not is_stop(found[1])
        and found[1] not in WORDS["small"]
    ]


def head(text: str) -> list[str]:
    """Return the name that a text begins with, as a list; empty if none.

    The name is the first word if "code" follows, else the words before a colon or dash.
    """
    if found := _SEEN.first_otp.match(text):
        return [] if is_stop(found[1]) else [found[1]]
    found = _SEEN.head.match(text)
    if not found:
        return []
    words = found[1].split()
    while len(words) > 1 and (words[-1].islower() or is_stop(words[-1]) or _goes_with(words[-1])):
        if len(words) <= _NAME_WORDS and _SEEN.institute.fullmatch(fold(words[-1])):
            break
        words.pop()
    front, dash, back = words[-1].rpartition("-")
    if dash and front and is_a_codes(back):
        words[-1] = front
    if not words[-1].isascii():
        words[-1] = _SEEN.codes_behind.sub("", words[-1]) or words[-1]
    stops = any(map(is_stop, words)) or _all_plain(words) or len(words) > _NAME_WORDS
    return [] if stops or NO_CHINESE.search(found[1]) else [" ".join(words)]


def _goes_with(word: str) -> bool:
    return not word.isascii() and _SEEN.uncased.match(word) is not None and is_plain(word)


def _all_plain(words: list[str]) -> bool:
    return _SEEN.spaced.match(words[0]) is not None and all(map(is_plain, words))


def capitals(text: str) -> list[Place]:
    """Return names with capitals, the most likely first."""
    words = list(islice(_SEEN.capital.finditer(text), _NAMES_MAX))
    told: list[Place] = []
    at = 0
    while at < len(words):
        stop = at + 1
        if not _begins_none(text, words, at):
            stop = _end(text, words, at)
            if place := _place(text, words[at].start(), words[stop - 1].end()):
                told.append(place)
        at = stop
    return sorted(told, key=lambda place: (-place.worth, place.start))


def _begins_none(text: str, words: list[re.Match[str]], at: int) -> bool:
    """Return whether no platform name begins with this word.

    The word is an ordinary word, a title, or the name of the greeted person at the beginning.
    """
    word, end = words[at][0], words[at].end()
    if is_stop(word):
        return True
    if words[at].start() <= FIRST_CHARS and (
        word.endswith("!") or (word[1:].islower() and _SEEN.hello.match(text, end))
    ):
        return True  # "Lena, your code"; but "SpesaFresca" is not a person's name
    close = at + 1 < len(words) and words[at + 1].start() - end < _APART
    return close and _addresses(word)  # Halo Siti, Dr. Patel


def _end(text: str, words: list[re.Match[str]], at: int) -> int:
    stop = at + 1
    house = _SEEN.houses.fullmatch(fold(words[at][0])) is not None
    while stop < min(len(words), at + _NAME_WORDS) and _continues(words[stop][0]):
        joint = text[words[stop - 1].end() : words[stop].start()]
        joined = _SEEN.joint.fullmatch(joint) or (house and _SEEN.of.fullmatch(joint))
        if words[stop - 1][0].endswith("!") or not joined:
            break
        if joint == "-" and is_a_codes(words[stop][0]):
            break
        stop += 1
    return stop


def _place(text: str, start: int, end: int) -> Place | None:
    """Return a run of words with capitals and its points, or None if it names no platform."""
    name = _SEEN.case.sub("", text[start:end])
    worth = likely(text, start, end)
    last = worth <= 1 and signs(text, start, end)
    if last:
        worth = 1  # like a name at any place; of these the first counts
    elif worth <= 1 and (_begins(text, start, end) or is_greeted(text, start, end)):
        return None
    if worth <= SURE and is_channel(text, start, name_key(name)):
        return None
    if worth < CERTAIN and names_other(text, start, end):
        return None
    return Place(worth, start, end, name)


def is_greeted(text: str, start: int, end: int) -> bool:
    """Return whether a word is the greeted person: "Hi Tim, your code"."""
    before = _SEEN.hello.match(text, end) and _SEEN.word_before.search(
        text, max(0, start - 20), start
    )
    return before is not None and fold(before[1]) in WORDS["greetings"]


def _begins(text: str, start: int, end: int) -> bool:
    """Return whether a word has a capital only because it begins a sentence: "Enter 4829"."""
    word = text[start:end]
    if " " in word or not word[1:].islower():
        return False
    ordinary = name_key(word) in load_names().ordinary
    mark = not ordinary and start <= FIRST_CHARS and _SEEN.behind_name.match(text, end)
    if word[0] <= _LAST_LATIN and _SEEN.other_script.match(text, end):
        return False  # "Krisha хабарландыруын": a Latin word before another script is a name
    return not mark and _SEEN.sentence.search(text, max(0, start - 4), start) is not None


def _addresses(word: str) -> bool:
    body = fold(word)
    return body in WORDS["greetings"] or body in WORDS["titles"]


def _continues(word: str) -> bool:
    return not is_stop(word) or word.lower() in _TAILS


def likely(text: str, start: int, end: int) -> int:
    """Return a score: how likely a capitalised word names the platform, by the words around it."""
    before = _SEEN.word_before.search(text, max(0, start - 20), start)
    after = _SEEN.word_after.match(text, end, min(len(text), end + 24))
    worth = 1
    if before and fold(before[1]) in WORDS["before"]:
        worth += 3
    if after:
        word = fold(after[1])
        if word in WORDS["after"] or _SEEN.code_word.match(word):
            worth += 3
    first = _SEEN.sentence.search(text, max(0, start - 4), start) is not None
    if worth == 1 and first:  # the author may be first in the text
        worth = 0 if start > FIRST_CHARS else 1
    return worth + 2 * (text.count(text[start:end]) > 1)


def signs(text: str, start: int, end: int) -> bool:
    """Return whether a name alone follows the last sentence, as a signature does."""
    return (
        start > FIRST_CHARS
        and end - start <= _SIGNS_MAX
        and len(text) - end <= _SIGNS_AFTER
        and not any(map(str.isalnum, text[end:]))
        and _SEEN.before_last.search(text, max(0, start - 6), start) is not None
    )
