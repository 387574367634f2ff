"""Find platform names with capitals, or before a colon, and give points for their places.

The points say how typical a place is for the name of a platform, for example before "code".
"""

import re
from itertools import islice
from typing import Final, NamedTuple

from detectors.recognise.fold import fold, name_key
from detectors.recognise.names import NO_CHINESE, WORDS, is_a_codes, is_plain, is_stop, load_names
from detectors.recognise.traps import names_other

_NAME_WORDS: Final = 3  # largest number of words in a name
FIRST_CHARS: Final = 6
_APART: Final = 3  # a title and its name have fewer characters between them
_NAMES_MAX: Final = 24  # largest number of words with a capital that are used


def _capitals(first: int, last: int) -> str:
    """Return the capitals in a range of code points, for a character class."""
    return "".join(chr(point) for point in range(first, last + 1) if chr(point).isupper())


LATIN: Final = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_UPPER: Final = "A-Z" + _capitals(0xC0, 0x24F) + _capitals(0x1E00, 0x1EFF)
_CAPITAL: Final = re.compile(  # Tandem, eBay, O'Neil, AT&T, ID.me, Šljivo; Вибер, Ελαιώνας, Նռնիկ
    "(?:(?<![\\w@./])|(?<=[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f\u1200-\u137f]))"
    f"(?:[a-z]{{0,2}}[{_UPPER}](?:[{LATIN}&'’+]|[.](?=[A-Za-z])){{0,22}}[{LATIN}+!]"
    f"(?![0-9{LATIN}@/])"
    f"|[{_capitals(0x400, 0x4FF)}][\u0400-\u04ff-]{{1,22}}(?![\\w@/])"
    f"|[{_capitals(0x370, 0x3FF)}][\u0370-\u03ff]{{1,22}}(?![\\w@/])"
    "|[\u0531-\u0556][\u0561-\u0587]{1,22}(?![\\w@/]))"
)
ANY_WORD: Final = re.compile(  # "n'est" and "don't" are one word
    f"(?:[{LATIN}]{{1,2}}['’](?=[a-z]{{2}}))?[0-9{LATIN}]+|[^\\W_0-9{LATIN}]+"
)
SURE: Final = 4  # points of a name at a typical place
CERTAIN: Final = 7  # points with typical words on both sides; nothing is more certain
_BEHIND_NAME: Final = re.compile(  # follows a first word that is a name
    "\\W{0,2}\\s?[:：|>»\\])】\n-]|[.,] |\\s[\u2600-\u27bf\U0001f000-\U0001faff]"
    "|(?: here!?|['’]s)?[ -](?:here|(?:her|hier)[.!]|one[ -]?time|login"
    "|log-?in|sign-?in|verification|security|secure"
    "|access|sms|2fa|your|otp|pin|code)(?![a-z])"
)
_CODES_BEHIND: Final = re.compile(
    "(?:会員登録|新規登録|会員|會員|登録|ログイン|アカウント|コード|認証|認證|行動電話|会员注册|注册|登录|登入|小程序|\\s?코드)+$"
)
AMOUNT: Final = re.compile(
    "(?:0[.,]0|(?:eur|usd|inr|rs|rp|tl|sar|aed|rub|pln|czk|[$€£₹₽¥])[. ]?0)[^:;\n]{0,24}$",
    re.IGNORECASE,
)
AMOUNT_CHARS: Final = 48
_SMALL: Final = tuple(
    re.compile(pattern)
    for pattern in (
        (
            "\\b(?:[Yy]our|[Uu]r|[Aa]apk[aei]) ([a-z][a-z.&-]{1,14}) (?:[a-z-]+ ){0,2}"
            "(?:code|otp|OTP|pin|PIN|passcode)\\b"
        ),
        "\\byour ([a-z][a-z.&-]{2,14}) (?:account|app|profile|password)\\b",
        (
            "\\b(?:code|codigo|código|codice|kod|kode|Code|OTP)"
            " (?:de|di|for|para|pour|untuk|für|voor|dla) ([a-z][a-z.&-]{2,14})\\b"
        ),
        "^\\W{0,3}([a-z][a-z.&-]{1,14})(?: (?:ur|your|secure|login|verification|code|otp|pin))+\\b",
        "^\\W{0,3}([a-z][a-z.&-]{2,14}) 0{3}",
    )
)
_HELLO: Final = re.compile(" ?[!,]")
_LAST_SENTENCE: Final = re.compile("[^.!?\n。！？]*$")
_SENTENCE_CHARS: Final = 96
_WAYS: Final = 5  # words after "by" that can be channels: by email, phone, SMS or WhatsApp
_CASE: Final = re.compile("['’][a-z\u00e0-\u024f]{1,4}$")  # Instagram'a
_TAILS: Final = frozenset({"pago", "pay", "now", "go"})
_JOINT: Final = re.compile(" (?:of |& |['’]n )?|-|&")
_OF: Final = re.compile(
    " (?:of|de(?: la| los)?|del|della|di|da|do|dos|das|du|des|van|der|von|och|og|i|y|e|et|und) "
)
_HOUSES: Final = re.compile(  # Banque du Jorat, Prefeitura de Itaú
    "banka?|banco?|banca|banque|caixa|caisse|caja|cassa|kasa|mutuelle|mutua|prefeitura|mairie"
    "|comune|ville|ayuntamiento"
    "|cooperativa|cooperative|coop|universi[a-z]+|hospital|clinica|ministry|city|council"
    "|guichet|gemeente|stadt|casa|maison"
)
_OTHER_SCRIPT: Final = re.compile("\\s[\"'“«„(]?(?![A-Za-z\u00c0-\u024f\u1e00-\u1eff])[^\\W\\d_]")
_SPACED: Final = re.compile("[\u0531-\u0dff\u10d0-\u135f\uac00-\ud7af]")
_UNCASED: Final = re.compile("[\u0531-\u1fff\u3040-\u9fff\uac00-\ud7af]")
_LAST_LATIN: Final = "\u024f"
_SIGNS_MAX: Final = 28  # longest name at the end of a text, in characters
_SIGNS_AFTER: Final = 4
_BEFORE_LAST: Final = re.compile("(?:[.!?)。！？\n]|\\s[-\u2013\u2014])[\\s-]{0,3}$")
_SIGNS: Final = "\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Scripts whose vowel signs are not matched by `\\w`."""
_HEAD: Final = re.compile(
    f"\\W{{0,6}}(?:<#>\\s?)?([^\\W\\d_][\\w{_SIGNS} .&'’+-]{{1,23}}?)"
    "\\s?(?:[:：|>»៖፡]|\\s[-\u2013\u2014~])"
)
_INSTITUTE: Final = re.compile("banka?s?|banca|banco|banque|pank|банка?|ბანკი|pojistovna|schranka")
_FIRST_OTP: Final = re.compile(
    "\\W{0,4}([A-Za-z]{3,16}) (?:ka |ke |ki )?(?:otp|OTP|pin|PIN|code|kod|kode)\\b"
)


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
    sentence = _LAST_SENTENCE.search(text, max(0, start - _SENTENCE_CHARS), start)
    words = [fold(word) for word in ANY_WORD.findall(sentence[0])] if sentence else []
    ways = (len(words) - at for at, word in enumerate(words, 1) if word in WORDS["by"])
    return min(ways, default=_WAYS) < _WAYS or not WORDS["never"].isdisjoint(words)


def small(text: str) -> list[str]:
    """Return lowercase names between words such as "your" and "code": "your ofo code"."""
    return [
        found[1]
        for pattern in _SMALL
        if (found := pattern.search(text))
        and not is_stop(found[1])
        and found[1] not in WORDS["small"]
    ]


def head(text: str) -> list[str]:
    """Return the name before a colon or dash at the beginning, or the first word before "code"."""
    if found := _FIRST_OTP.match(text):
        return [] if is_stop(found[1]) else [found[1]]
    found = _HEAD.match(text)
    if not found:
        return []
    words = found[1].split()
    while len(words) > 1 and (words[-1].islower() or is_stop(words[-1]) or _goes_with(words[-1])):
        if len(words) <= _NAME_WORDS and _INSTITUTE.fullmatch(fold(words[-1])):
            break
        words.pop()
    front, dash, back = words[-1].rpartition("-")
    if dash and front and is_a_codes(back):
        words[-1] = front
    if not words[-1].isascii():
        words[-1] = _CODES_BEHIND.sub("", words[-1]) or words[-1]
    stops = any(map(is_stop, words)) or _all_plain(words) or len(words) > _NAME_WORDS
    return [] if stops or NO_CHINESE.search(found[1]) else [" ".join(words)]


def _goes_with(word: str) -> bool:
    """Return whether a word, in a script without capitals, describes a name: login, code."""
    return not word.isascii() and _UNCASED.match(word) is not None and is_plain(word)


def _all_plain(words: list[str]) -> bool:
    """Return whether a head consists of ordinary words, in a script with spaces and no capitals."""
    return _SPACED.match(words[0]) is not None and all(map(is_plain, words))


def capitals(text: str) -> list[Place]:
    """Return names with capitals, the most likely first."""
    words = list(islice(_CAPITAL.finditer(text), _NAMES_MAX))
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
        word.endswith("!") or (word[1:].islower() and _HELLO.match(text, end))
    ):
        return True  # "Lena, your code"; but "SpesaFresca" is not a person's name
    close = at + 1 < len(words) and words[at + 1].start() - end < _APART
    return close and _addresses(word)  # Halo Siti, Dr. Patel


def _end(text: str, words: list[re.Match[str]], at: int) -> int:
    """Return the end (exclusive word index) of the name that begins at a word."""
    stop = at + 1
    house = _HOUSES.fullmatch(fold(words[at][0])) is not None
    while stop < min(len(words), at + _NAME_WORDS) and _continues(words[stop][0]):
        joint = text[words[stop - 1].end() : words[stop].start()]
        joined = _JOINT.fullmatch(joint) or (house and _OF.fullmatch(joint))
        if words[stop - 1][0].endswith("!") or not joined:
            break
        if joint == "-" and is_a_codes(words[stop][0]):
            break
        stop += 1
    return stop


def _place(text: str, start: int, end: int) -> Place | None:
    """Return a run of words with capitals and its points, or None if it names no platform."""
    name = _CASE.sub("", text[start:end])
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
    before = _HELLO.match(text, end) and _WORD_BEFORE.search(text, max(0, start - 20), start)
    return before is not None and fold(before[1]) in WORDS["greetings"]


def _begins(text: str, start: int, end: int) -> bool:
    """Return whether a word has a capital only because it begins a sentence: "Enter 4829"."""
    word = text[start:end]
    if " " in word or not word[1:].islower():
        return False
    ordinary = name_key(word) in load_names().ordinary
    mark = not ordinary and start <= FIRST_CHARS and _BEHIND_NAME.match(text, end)
    if word[0] <= _LAST_LATIN and _OTHER_SCRIPT.match(text, end):
        return False  # "Krisha хабарландыруын": a Latin word before another script is a name
    return not mark and _SENTENCE.search(text, max(0, start - 4), start) is not None


def _addresses(word: str) -> bool:
    """Return whether a word is a greeting or title, which precedes the name of a person."""
    body = fold(word)
    return body in WORDS["greetings"] or body in WORDS["titles"]


def _continues(word: str) -> bool:
    return not is_stop(word) or word.lower() in _TAILS


_WORD_BEFORE: Final = re.compile("([^\\W\\d_]+)['’]?\\s[\"'“«„(]?$")
_WORD_AFTER: Final = re.compile("[\"'”»)]?(?:['’]s)?[\\s-]([^\\W\\d_-]+(?:-[^\\W\\d_]+)?)")
_CODE_WORD: Final = re.compile(
    "(?:[a-z]*(?:code|kode?|codigo|codice|codul|cod|kood|koodi|kodu|pin|otp|passcode)[a-z]{0,5})$"
)
_SENTENCE: Final = re.compile("(?:^|[.!?:\\n。！？]\\s{0,2})\\W{0,2}$")


def likely(text: str, start: int, end: int) -> int:
    """Return a score: how likely a capitalised word names the platform, by the words around it."""
    before = _WORD_BEFORE.search(text, max(0, start - 20), start)
    after = _WORD_AFTER.match(text, end, min(len(text), end + 24))
    worth = 1
    if before and fold(before[1]) in WORDS["before"]:
        worth += 3
    if after:
        word = fold(after[1])
        if word in WORDS["after"] or _CODE_WORD.match(word):
            worth += 3
    first = _SENTENCE.search(text, max(0, start - 4), start) is not None
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
        and _BEFORE_LAST.search(text, max(0, start - 6), start) is not None
    )
