"""Judge a number with a weak name such as "code", or beside an advert, by the rest of its text.

Words such as "code" and "PIN" name many kinds of numbers. The rest of the text shows which kind a
number is. A *scene* is the topic of a text: parcels, shops, gates or prizes.
"""

import re
from itertools import pairwise
from typing import Final

from detectors.recognise.rules.shapes import Form, Number, has_link, sentence_span
from detectors.recognise.text.sentences import STOP
from detectors.recognise.vocabulary.owners import has_price, is_mentioned, is_owned, pattern
from detectors.recognise.vocabulary.scripts import SCENE, Word, WordKind, cues_of, says

_COMMA: Final = re.compile("[,，،、;；](?!0)")


def advertises(sentence: str) -> bool:
    """Return whether a sentence sells something, has a link, or says how to unsubscribe."""
    return sells(sentence) or is_mentioned("spam", sentence) or has_link(sentence)


def sells(text: str) -> bool:
    """Return whether a text has a price or a discount, or says how to unsubscribe."""
    return is_mentioned("leave", text) or is_mentioned("percent", text) or has_price(text)


def weak_rule(body: str, number: Number) -> str:
    """Return the rule for a number that a weak word names (code, PIN).

    The rule is "weak-login", "weak", or "held" (the number is no code).
    """
    cues = sum(cues_of(body))
    shop = is_owned(body, number.start, number.end, "shop")
    odd = number.form is Form.ODD and not cues
    if odd or any(is_owned(body, number.start, number.end, owner) for owner in ("weak", "other")):
        return "held"
    body = before_advert(body, number)
    told = cues > 1 and number.sure and not is_mentioned("percent", body)
    offer = shop and has_price(body) and not cues_of(body)[1]
    if not told and (offer or is_other_scene(body, number)):
        return "held"
    return "weak-login" if cues else "weak"


def of_another(body: str, number: Number, words: list[Word]) -> bool:
    """Return whether letters and digits belong to another scene, for example to a booking.

    The words that name codes are ignored. Any other cue of a code makes the result false.
    """
    if number.form is not Form.MIXED:
        return False
    for word in words:
        if word.kind is WordKind.NAMES:
            body = f"{body[: word.start]}{' ' * (word.end - word.start)}{body[word.end :]}"
    return not any(cues_of(body)) and is_other_scene(body, number)


def is_other_scene(body: str, number: Number) -> bool:
    """Return whether a weak name probably names another number, by words about parcels or shops.

    A percentage decides alone. Another sentence than the number's own does not count if it asks
    for secrecy: "not even to your driver". If the number's own
    sentence gives the purpose of a code, the other sentences do not count, unless the number looks
    like a shop's code. Words about unsubscribing do not count if the number is sure or the text
    asks for secrecy.
    """
    if is_mentioned("percent", body):
        return True
    if is_mentioned("leave", body) and (number.sure or cues_of(body)[1]):
        body = pattern("leave").sub(lambda found: "_" * len(found[0]), body)
    if not says(body, SCENE):
        return False
    start, end = sentence_span(body, number.start, number.end)
    if says(body, SCENE, start, end):
        return True
    if cues_of(body, start, end)[0] and not is_owned(body, number.start, number.end, "shop"):
        return False
    stops = [0, *(stop.end() for stop in STOP.finditer(body)), len(body)]
    return any(says(body, SCENE, *part) and not cues_of(body, *part)[1] for part in pairwise(stops))


def before_advert(body: str, number: Number) -> str:
    """Return the text before an advert with a percentage: "Log in with 4829. 20% off today".

    The part before the advert must give the purpose of the code and must end with a sentence or a
    comma. Otherwise the whole text is returned.
    """
    start, end = sentence_span(body, number.start, number.end)
    comma = _COMMA.search(body, number.end, end)
    for stop in (comma.start() if comma else end, end):
        if number.sure and cues_of(body, start, stop)[0] and is_mentioned("percent", body[stop:]):
            return body[:stop]
    return body
