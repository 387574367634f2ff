"""Find the number that is a code by the words of its text, or by several cues together.

Each number belongs to the word that names it, judged by the text between the two. The word nearest
to the number is tried first. If no word names a number, several cues can support one.
"""

from collections.abc import Sequence
from typing import Final

from detectors.recognise.rules.scenes import before_advert, is_other_scene
from detectors.recognise.rules.shapes import Form, Number, leading, of_digits, sentence_span
from detectors.recognise.text.patterns import section
from detectors.recognise.text.sentences import STOP
from detectors.recognise.vocabulary.owners import is_mentioned, is_owned, pattern
from detectors.recognise.vocabulary.scripts import NAMING, Word, WordKind, cues_of, typed_in

_SEEN: Final = section("naming")

# Largest distances in characters, chosen so that the training texts are read correctly. Typical
# values are 30 in Chinese and 50-100 in other languages.
_LINKED: Final = 30  # from a name to a number with only a linking phrase between
_BEFORE: Final = 100  # from a name to a later number in the same sentence
_SAID: Final = 180  # the same if "is" or a colon precedes the number; payees have long names
_AFTER: Final = 60  # from a number to a later name in the same sentence
_HELD: Final = 4  # another name so near certainly owns the number
_HELD_LOOSELY: Final = 8  # another name so near may own the number, without a linking phrase
_BY: Final = 24  # "by" or "with" and a number with which something is done
_OF_LETTERS: Final = 40  # from a name to a code of letters and digits
_ASKS: Final = ("?", "？")  # questions are usually between people
_POINTS: Final = 3  # cues that make a number a code
_UNSUPPORTED: Final = (Form.CUT, Form.ODD, Form.SPELLED, Form.LETTERS)


def owned_codes(body: str, found: Sequence[Number], words: list[Word]) -> list[tuple[str, Number]]:
    """Return (rule, number) for the numbers that are codes by their words.

    The list ends with the first number whose rule is not "weak".
    """
    owned: list[tuple[str, Number]] = []
    for number in sorted(found, key=lambda number: number.form is Form.ODD):
        if owned and number.form is Form.ODD:
            break
        word = _owner(body, number, words)
        if word is None or word.kind not in NAMING:
            continue
        named = "letter-code" if number.form is Form.LETTER else "named"
        rule = "weak" if word.kind is WordKind.WEAK and named == "named" else named
        owned.append((rule, number))
        if rule != "weak":
            break
    return owned


def without_objects(body: str, words: list[Word]) -> list[Word]:
    """Return the words without those that only describe a code: "PIN for your account: 0000"."""
    kept: list[Word] = []
    for word in words:
        others = word.kind is WordKind.OTHERS and kept and kept[-1].kind in NAMING
        if not others or not _is_object(body, kept[-1], word):
            kept.append(word)
    return kept


def _is_object(body: str, name: Word, word: Word) -> bool:
    if name.kind is WordKind.NAMES and _SEEN.object_link.fullmatch(body, name.end, word.start):
        return _SEEN.its_number.match(body, word.end - 1) is None
    return (
        pattern("object").fullmatch(body, word.start, word.end) is not None
        and _SEEN.phrase.fullmatch(body, name.end, word.start) is not None
        and pattern("of_phrase").match(body, word.end) is not None
    )


def _owner(body: str, number: Number, words: list[Word]) -> Word | None:
    """Return the word that names a number, or None if no suitable word is found.

    The order is: the word directly before the number, with only a linking phrase between ("code
    is: 482913"); the word after the number ("482913 is your code"); a name further back in the same
    sentence.
    """
    before = [word for word in words if word.end <= number.start]
    nearest = before[-1] if before else None
    near = nearest and number.start - nearest.end <= _LINKED
    if nearest and near and pattern("link").fullmatch(body, nearest.end, number.start):
        return nearest if nearest.kind is not WordKind.DENIED else None
    if number.form in (Form.CUT, Form.LETTERS, Form.ODD):
        return None
    after = [word for word in words if word.start >= number.end]
    return _name_after(body, number, nearest, after) or _name_further_back(body, number, before)


def _name_after(body: str, number: Number, nearest: Word | None, after: list[Word]) -> Word | None:
    """Return the word after a number that names it ("482913 is your code"), or None."""
    near = [word for word in after if word.start - number.end <= _AFTER]
    near = [word for word in near if not _has_own_number(body, word, near)]
    leads = leading(body, number)
    others = near and near[0].kind is WordKind.OTHERS
    if others and not body[number.end : near[0].start].strip():
        return None
    word = next((word for word in near if not leads or word.kind is not WordKind.OTHERS), None)
    if word is None or STOP.search(body, number.end, word.start):
        return None
    said = pattern("is_yours").match(body, number.end, word.start)
    if leads or (word.kind in NAMING and (said or word.start - number.end <= 1)):
        return word  # "482913 kodu ile" has one space between
    free = nearest is None or STOP.search(body, nearest.end, number.start)
    return word if free and number.sure and word.kind is WordKind.NAMES else None


def _has_own_number(body: str, word: Word, after: list[Word]) -> bool:
    following = next((each for each in after if 0 <= each.start - word.end <= 1), word)
    return any(pattern("own_number").match(body, each.end) for each in (word, following))


def _name_further_back(body: str, number: Number, before: list[Word]) -> Word | None:
    """Return the nearest word further back in the sentence that names the number, such as "code".

    Returns None if a word between the two names the number as something else.
    """
    introduced = pattern("link_end").search(body, max(0, number.start - _LINKED), number.start)
    reach = _SAID if number.sure and introduced else _BEFORE
    for word in reversed(before):
        between = number.start - word.end
        stopped = between > reach or STOP.search(body, word.end, number.start)
        if stopped or word.kind is WordKind.DENIED:
            return None
        linked = pattern("loose_link").fullmatch(body, word.end, number.start) is not None
        free = number.sure and not is_mentioned("warning", body)
        if word.kind is WordKind.NAMES and (linked or free):
            loose = number.start - before[-1].end > _HELD_LOOSELY
            if (
                word is before[-1]
                or pattern("link_end").search(body, word.end, number.start)
                or (loose and _SEEN.phrase.fullmatch(body, word.end, number.start))
            ):
                return word
        elif word.kind is WordKind.WEAK and linked:
            return word
        if between <= _HELD:
            return None
    return None


def is_owned_by_other(body: str, number: Number, words: list[Word]) -> bool:
    """Return whether a number is not a code, because of a word before or after it."""
    before = [word for word in words if word.end <= number.start]
    if before and before[-1].kind in (WordKind.OTHERS, WordKind.DENIED):
        start, end, _ = before[-1]
        between = number.start - end
        if pattern("object").fullmatch(body, start, end):
            link = pattern("link").fullmatch(body, end, number.start)
            linked = between <= _HELD or link is not None
        else:
            linked = between <= _LINKED and not _SEEN.others_next.search(body, end, number.start)
        of_another = _SEEN.of_another.search(body, max(0, start - 2), start)
        by = pattern("by").search(body, max(0, number.start - _BY), number.start)
        done = by is not None and not start < by.start() < end  # "ending with"
        if linked and not of_another and not done:
            return True
    return any(
        word.kind is WordKind.OTHERS
        and 0 <= word.start - number.end <= 1
        and not _SEEN.before_its_number.fullmatch(body, word.start, word.end)
        for word in words
    )


def find_supported(
    body: str, found: Sequence[Number], words: list[Word]
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
    best: tuple[int, bool, Number] | None = None
    for number in found:
        odd = number.form is Form.MIXED and _SEEN.leet.fullmatch(body, number.start, number.end)
        if odd or number.form in _UNSUPPORTED or is_owned_by_other(body, number, words):
            continue
        points, named = _count_cues(body, number, naming)
        if points >= 0 and (best is None or points > best[0]):
            best = points, named, number
    if best is None:
        return []
    points, named, number = best
    purpose, secret = cues_of(body)
    points += purpose + (secret and not is_mentioned("warning", body))
    if points >= _POINTS and not named:
        points -= 2 * is_other_scene(before_advert(body, number), number)
    return [("supported", number)] if points >= _POINTS else []


def _count_cues(body: str, number: Number, naming: list[Word]) -> tuple[int, bool]:
    """Return the points of a number by the words near it, and whether a name for codes is near.

    The points are -1 if the number is at no place that is typical of a code.
    """
    start, end = sentence_span(body, number.start, number.end)
    if body[end : end + 1] in _ASKS:
        return -1, False
    lead = body[start : number.start]
    first = _SEEN.first.fullmatch(body, 0, number.start) is not None or not (
        _SEEN.wordy.search(lead) or _SEEN.wordy.search(body, number.end, end)
    )
    if number.sure and _SEEN.brand.fullmatch(body, 0, number.start):
        first = cues_of(body, number.end, end)[0]
    typed = of_digits(body, number) and typed_in(body, start, end)
    shop = number.form is Form.MIXED and is_owned(body, number.start, number.end, "shop")
    by = not shop and (
        pattern("by").search(body, max(0, number.start - _BY), number.start) is not None
        or is_owned(body, number.start, number.end, "done")
    )
    by = by and (typed or cues_of(body, start, end)[0])
    if not (first or by or typed or _is_well_placed(body, number, naming, start, end)):
        return -1, False
    near = [word for word in naming if -_BEFORE < word.start - number.end < _BEFORE]
    named = any(word.kind is WordKind.NAMES for word in near)
    introduced = (
        first
        or _is_introduced(body, number, naming, start)
        or (_SEEN.introduced.search(lead) is not None and cues_of(body, start, number.start)[0])
    )
    return (2 if named else bool(near)) + typed + (2 * by or introduced), named


def _is_introduced(body: str, number: Number, naming: list[Word], start: int) -> bool:
    before = [word.end for word in naming if start <= word.start and word.end <= number.start]
    return bool(before) and (
        _SEEN.for_whom.fullmatch(body, before[-1], number.start) is not None
        or pattern("link_end").search(body, before[-1], number.start) is not None
    )


def _is_well_placed(body: str, number: Number, naming: list[Word], start: int, end: int) -> bool:
    """Return whether a number is at a typical place of a code.

    Such places are the beginning of its sentence, after an introduction, and near a name for codes.
    """
    inside = [word for word in naming if start <= word.start < end]
    if number.sure:
        lead = body[start : number.start]
        return not _SEEN.wordy.search(lead) or bool(inside or _SEEN.introduced.search(lead))
    before = [word.end for word in inside if word.start < number.start]
    if not before:
        after = [word.start for word in inside if word.start >= number.end]
        near = bool(after) and after[0] - number.end <= _OF_LETTERS
        return near and of_digits(body, number)
    between = body[before[-1] : number.start]
    reach = _BEFORE if pattern("link_end").search(between) else _OF_LETTERS
    return len(between) <= reach and not is_mentioned("telling", between)
