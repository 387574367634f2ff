"""Find a code that no word names directly, by several cues together."""

import re
from typing import Final

from detectors.recognise.owners import (
    BEFORE_CHARS,
    FOR_WHOM,
    LINK_END,
    TELLING,
    WARNING,
    done_with,
    is_owned_by_other,
)
from detectors.recognise.scenes import ASKS, before_advert, other_scene
from detectors.recognise.scripts import NAMING, Script, Word, WordKind, cues_of, typed_in
from detectors.recognise.shapes import Form, Number, of_digits, sentence_span

_FIRST: Final = re.compile(  # "Acme: 482913", "(Acme) 482913"
    "\\W{0,8}(?:[^\\W\\d_][\\w .&'-]{0,20}[:：)])?\\W{0,8}"
)
_BRAND: Final = re.compile("\\W{0,8}(?:[^\\W\\d_]{1,15}\\s){1,2}")  # "Acme Pay 482913 approves ..."
_WORDY: Final = re.compile("\\w")
_LEET: Final = re.compile("[a-z]+0[a-z]{3,}|[a-z]{2,}0[a-z]{2,}")  # b0nus, th0ng
_INTRODUCED: Final = re.compile("[:：=>☞→➜➡▶↓»«“\"'「『(（\\[—–-]\\s?$")
_POINTS: Final = 3  # cues that make a number a code
_OF_LETTERS: Final = 40  # characters between a name and a code of letters and digits


def find_supported(
    body: str, found: list[Number], words: list[Word], scripts: list[Script]
) -> list[tuple[str, Number]]:
    """Return the number that several cues support as ("supported", number), or an empty list.

    Cues give points:

    - a name for codes near the number: two; a weak name: one;
    - the purpose of a code, a request for secrecy, the place to type it in: one each;
    - "is", a line of its own, the first place in the text, or a colon after the purpose: one;
    - something is confirmed with the number: two.

    Three points make a code. With a weak name in another scene, five points are needed. A request
    for secrecy in a warning of criminals does not count.
    """
    naming = [word for word in words if word.kind in NAMING]
    likely: list[tuple[int, bool, Number]] = []
    for number in found:
        if number.form in (Form.CUT, Form.ODD, Form.SPELLED, Form.LETTERS) or is_owned_by_other(
            body, number, words, scripts
        ):
            continue
        if number.form is Form.MIXED and _LEET.fullmatch(body, number.start, number.end):
            continue
        start, end = sentence_span(body, number.start, number.end)
        if ASKS.match(body, end):
            continue
        first = _FIRST.fullmatch(body, 0, number.start) is not None or (
            not _WORDY.search(body, start, number.start)
            and not _WORDY.search(body, number.end, end)
        )
        if number.sure and _BRAND.fullmatch(body, 0, number.start):
            first = cues_of(body[number.end : end], scripts)[0]
        typed = of_digits(body, number) and typed_in(body[start:end], scripts)
        by = done_with(body, number) and (typed or cues_of(body[start:end], scripts)[0])
        if not (first or by or typed or _is_well_placed(body, number, naming, start, end)):
            continue
        near = [word for word in naming if -BEFORE_CHARS < word.start - number.end < BEFORE_CHARS]
        named = any(word.kind is WordKind.NAMES for word in near)
        points = 2 * named + bool(near and not named)
        points += typed + (
            2 * by
            or first
            or _is_introduced(body, number, naming, start)
            or _has_purpose(body[start : number.start], scripts)
        )
        likely.append((points, named, number))
    if not likely:
        return []
    purpose, secret = cues_of(body, scripts)
    cues = purpose + (secret and not WARNING.search(body))
    points, named, number = max(likely, key=lambda row: row[0])
    points += cues
    if points >= _POINTS and not named:
        points -= 2 * other_scene(before_advert(body, number, scripts), number, scripts)
    return [("supported", number)] if points >= _POINTS else []


def _has_purpose(lead: str, scripts: list[Script]) -> bool:
    """Return whether the text before a number is a purpose with a colon: "To pay: 482913"."""
    return _INTRODUCED.search(lead) is not None and cues_of(lead, scripts)[0]


def _is_introduced(body: str, number: Number, naming: list[Word], start: int) -> bool:
    """Return whether a name introduces a number, by "is" or by words such as "for your"."""
    before = [word for word in naming if start <= word.start and word.end <= number.start]
    return bool(before) and (
        FOR_WHOM.fullmatch(body, before[-1].end, number.start) is not None
        or LINK_END.search(body, before[-1].end, number.start) is not None
    )


def _is_well_placed(body: str, number: Number, naming: list[Word], start: int, end: int) -> bool:
    """Return whether a number is at a typical place of a code.

    Such places are the beginning of its sentence, after an introduction, and near a name for codes.
    """
    if number.sure:
        return (
            not _WORDY.search(body, start, number.start)
            or _INTRODUCED.search(body, start, number.start) is not None
            or any(start <= word.start < end for word in naming)
        )
    before = [word for word in naming if start <= word.start < number.start]
    if not before:
        after = [word for word in naming if number.end <= word.start < end]
        near = bool(after) and after[0].start - number.end <= _OF_LETTERS
        return near and of_digits(body, number)
    told = LINK_END.search(body, before[-1].end, number.start) is not None
    return number.start - before[-1].end <= (
        BEFORE_CHARS if told else _OF_LETTERS
    ) and not TELLING.search(body, before[-1].end, number.start)
