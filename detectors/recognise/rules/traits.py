"""Find the traits of a text. The linear model has a weight for each trait, besides the rule.

Most traits describe structure, not words, so they also work in languages without a word list. For
example: how many numbers look like a code, where they are, prices, and length.
"""

import re
from collections.abc import Sequence
from typing import Final

from detectors.recognise.rules.shapes import Form, Number, leading
from detectors.recognise.vocabulary.owners import has_price, is_mentioned
from detectors.recognise.vocabulary.scripts import SCENE, Word, WordKind, cues_of, says, typed_in

TRAITS: Final = {
    "name": "a word that only codes have",
    "weak name": "a word that many numbers have: code, PIN",
    "other name": "a word for another number",
    "denied": "no code is needed, or none is to be told",
    "purpose": "what a code is for",
    "secret": "how a code is to be kept",
    "typed": "where something is to be typed in",
    "other scene": "words of parcels, shops, gates, prizes",
    "one number": "one number of the shape of a code",
    "more numbers": "several numbers of the shape of a code",
    "letters": "letters and digits together, or digits in groups",
    "price": "an amount of money or a share in percent",
    "leads": "the number stands first",
    "colon": "a colon leads to the number",
    "four": "the number has four digits, as years have",
    "unsure": "only odd shapes: letters and digits, three digits, nine and more",
    "way out": "how to unsubscribe, as advertising has to tell",
    "many words": "over thirty words",
    "phone": "a phone number, in groups or with a plus",
    "long run": "more than eight digits in a row",
    "signed": "a name in brackets",
    "short": "under 60 characters",
    "long": "over 160 characters",
    "person": "a subscriber's number with no signature",
}
"""All traits, with a description for people."""

_SHORT: Final = 60
LONG: Final = 160
"""A text with more characters is long: more than one segment of Latin letters."""
_MANY: Final = 30  # a text with more spaces has many words
_PHONE: Final = re.compile(
    "[+]0{2}|(?<![0-9-])00{1,4}[ -]0{3,4}[ -]0{2,4}|(?<![0-9])0{3,4}[ -]0{2,3}[ -]00[ -]00(?![0-9])"
)
_COLON: Final = re.compile("[:：]\\s?$")


def traits_of(
    body: str,
    found: Sequence[Number],
    words: Sequence[Word],
    *,
    signed: bool,
    leaves: bool,
) -> list[str]:
    """Return the traits of a folded, masked text, except `person`.

    `body` is the text without its signature and links. `signed`: the text has a signature.
    `leaves`: the text says how to unsubscribe.
    """
    kinds = {word.kind for word in words}
    purpose, secret = cues_of(body)
    sure = [number for number in found if number.sure]
    one = sure[0] if sure else None
    shown = {
        "name": WordKind.NAMES in kinds,
        "weak name": WordKind.WEAK in kinds,
        "other name": WordKind.OTHERS in kinds,
        "denied": WordKind.DENIED in kinds,
        "purpose": purpose,
        "secret": secret,
        "typed": typed_in(body),
        "other scene": says(body, SCENE),
        "one number": len(sure) == 1,
        "more numbers": len(sure) > 1,
        "letters": any(number.form in (Form.MIXED, Form.DASHED) for number in found),
        "price": has_price(body) or is_mentioned("percent", body),
        "leads": one is not None and leading(body, one),
        "colon": one is not None and _COLON.search(body, 0, one.start) is not None,
        "four": one is not None and one.end - one.code == 4,
        "unsure": bool(found) and not sure,
        "way out": leaves,
        "many words": body.count(" ") > _MANY,
        "phone": _PHONE.search(body) is not None,
        "long run": "000000000" in body,
        "signed": signed,
        "short": len(body) < _SHORT,
        "long": len(body) > LONG,
    }
    return [name for name, so in shown.items() if so]
