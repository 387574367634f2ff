"""Numbers and the words that own them, by what stands between the two.

Every number belongs to the word that names it; the nearest is asked first.
"""

from __future__ import annotations

import re
from typing import Final

from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.scripts import NAMING, Script, Word, WordKind, cues_of, typed_in
from detectors.recognise.sentences import STOP
from detectors.recognise.shapes import Form, Number, leading, sentence_span
from detectors.recognise.words import LANGUAGES, all_words

# Distances in characters, chosen so that the training texts come out right; domain knowledge says
# 30 in Chinese, 50-100 elsewhere.
_LINKED: Final = 30  # between a name and a number with nothing but a link between
BEFORE_CHARS: Final = 100
"""Characters between a name and a later number of the same sentence."""
_SAID_CHARS: Final = 180  # the same where "is" or a colon leads to it: the longest names of payees
_AFTER: Final = 60  # between a number and a later name of the same sentence
_HELD: Final = 4  # a name of something else so near has the number for sure
_HELD_LOOSELY: Final = 8  # the same with no link to the number

SAYS: Final = any_of(all_words("says")).pattern
"""The words between a name and its number, in the sense of "is": a regular expression."""
_GENDER: Final = "(?:/[^\\W\\d_]{1,3}|[(][^\\W\\d_]{1,3}[)])?"  # "הזן/י", "introduza(m)"
_MARKS: Final = "[\\s:：=\u2010-\u2015'\"“”‘’„「」『』【】\\[\\](){}（）<>«»*•،。~☞→➜➡▶↓←-]{0,12}"
_LINK: Final = re.compile(f"{_GENDER}{_MARKS}(?:{SAYS})?{_MARKS}")
_LOOSE_LINK: Final = re.compile(
    f"[^.!?。！？\n;；0]{{0,32}}?(?:[:：=]|(?<![a-z])(?:{SAYS})(?![a-z]))[\\s'\"“「『\\[(<«*]{{0,4}}"
)
_AMOUNT_LINK: Final = re.compile(  # "code to withdraw 250 USDT: 470916"
    "[^.!?。！？\n;；0]{0,32}?(?<![0-9])0{1,3}(?:[,. ]0{3}){0,2}(?:[.,]00)?"
    "[^.!?。！？\n;；0]{0,16}[:：]\\s?"
)
_PHRASE: Final = re.compile("[^.,!?:;。，、！？：；\n0]{0,48}")  # "OTP to enter the room"
_OBJECT_LINK: Final = re.compile("\\s(?:[^\\W\\d_]{1,6}\\s){0,2}")  # "code for your account"
_ITS_NUMBER: Final = re.compile("\\w 0{4,9}(?![0-9a-z])")  # "password of account 482913 changed"
_OBJECT: Final = any_of(all_words("object"))
_OF_PHRASE: Final = re.compile(  # "PIN for your account: 482913"
    f"(?:\\s[^\\W\\d_]{{1,14}}){{0,3}}\\s?(?:[:：=]|(?<![a-z])(?:{SAYS})(?![a-z]))\\s?(?:0{{3}}|[0a-z]{{0,8}}0)"
)
FOR_WHOM: Final = re.compile("(?:\\s[^\\W\\d_]{1,14}){1,2}\\s")
"""Whose code it is: "for your", a word or two."""
_OWN_NUMBER: Final = re.compile(
    f"{_GENDER}{_MARKS}(?:{SAYS})?{_MARKS}(?<![0-9a-z])"
    "(?:0{4}|0{3}[ -]0{3}|(?=[a-z]{0,8}0)[0a-z]{4,9})"
)
LINK_END: Final = re.compile(f"(?:[:：=☞→➜➡▶↓]|(?<![a-z])(?:{SAYS}))\\s?$")
"""The end of what leads to a number: "is", a colon, an arrow."""
_IS_YOURS: Final = re.compile(
    f"[\\s'\"”」』\\])>»*]{{0,4}}(?:{SAYS}|your|to|como|你的|您的|आपका|로|[,，\u2014-])"
)
WARNING: Final = any_of(
    branches(
        "冒充|诈骗|詐騙|假冒|警惕|谨防|慎防|詐欺|なりすま|사칭|보이스피싱|fraudster|scam|phishing|criminal"
        "|estaf|fraude|golpe|arnaque|betrug|truff|lua dao|มิจฉาชีพ|penipu|dolandir|мошенник"
        "|احتيال|محتال|كلاهبردار|הונא|מתחז|धोखा|ठग"
    )
)
"""Warnings of criminals who ask for codes: the number is where to report them."""
TELLING: Final = any_of(
    branches(
        "sent|send|text|receive|request|发送|發送|获取|獲取|收到|接收|索取|透露|отправ|envia"
        # who is to wait for one is told it later
        "|wait for|await|espere|esperar|aguard|attendre|attendez|warten|wachten|aspetta|attenda"
        "|bekle|tunggu|cho nhan|doi nhan|ожида|дожд|дочека|очіку|poczekaj|oczekuj|pockejte"
        # who is asked to tell one, and that none is needed
        "|назов|продикт|(?<![a-z])gui ma|не нужен|не требуется|not needed|not required|khong can"
        "|no es necesari|no se requiere|non serve|nicht notig|nicht erforderlich|gerekmez"
        "|tidak diperlukan|n['’]est pas necessaire|nao e necessari"
        "|等待|等候|お待ち|기다|انتظر|انتظار|منتظر|המתן|המתיני|प्रतीक्षा"
        "|इंतज|รอรับ|กรุณารอ"
    )
)
"""Words for codes that come in another message."""
_SPENT: Final = re.compile("0|[。！？!?\n]|[.](?=\\s)")  # another number in between, or an end
_BY: Final = any_of(all_words("by"), "(?<![a-z])", "(?![a-z])").pattern
_BY_BEFORE: Final = re.compile(f"{_BY}\\s?['\"«“「]?$")
_BEHIND: Final = frozenset({"ja", "ko", "tr", "hi", "fa"})  # they say "482913 with"
_BY_AFTER: Final = re.compile(
    "['’\"»”」]?\\s?"
    + any_of(
        [word for row in LANGUAGES if row.lang in _BEHIND for word in row.by],
        "(?<![a-z])",
        "(?![a-z])",
    ).pattern
)
_BY_CHARS: Final = 24
_LURE: Final = re.compile("[a-z]{4,}0+|[a-z]{3,}00")  # GREEN20 is for a till
_SIGNS: Final = re.compile("[a-z][^ ]{0,10}[#$@!&_]|[#$@!&_][^ ]{0,10}[a-z]")  # bib#62k
_LONG: Final = re.compile("0{9,10}")
_ASKED: Final = re.compile("[?？؟]\\s{1,2}$")  # "Not you? 0800 0000": whom to call
_BRACKET: Final = re.compile("[(（][^()（）0]{2,24}$")  # "(file 20418)": a reference
_CLOSED: Final = re.compile("\\s?[)）]")
_MASKED: Final = re.compile("x{2,6}0{2,4}")  # the last digits of an account: XX4471
_BEFORE_ITS_NUMBER: Final = re.compile("n[or]?[.]?")  # and in Portuguese "in the": "0000 no app"
_OF_ANOTHER: Final = re.compile("0\\s?$")  # a word behind its own number: "000 ريال"


def owned_codes(body: str, found: list[Number], words: list[Word]) -> list[tuple[str, Number]]:
    """The numbers that are codes by the words that own them, up to the first that surely is."""
    owned: list[tuple[str, Number]] = []
    for number in sorted(found, key=lambda number: number.form is Form.ODD):
        if owned and number.form is Form.ODD:
            break
        if rule := _rule(body, number, words):
            owned.append((rule, number))
            if rule != "weak":
                break
    return owned


def without_objects(body: str, words: list[Word]) -> list[Word]:
    """The words but for those that only tell what a code is for: "PIN for your account: 0000"."""
    kept_words: list[Word] = []
    for word in words:
        last = kept_words[-1] if kept_words else None
        if word.kind is WordKind.OTHERS and last and last.kind in NAMING:
            if (
                last.kind is WordKind.NAMES
                and _OBJECT_LINK.fullmatch(body, last.end, word.start)
                and not _ITS_NUMBER.match(body, word.end - 1)
            ):
                continue
            if (
                _OBJECT.fullmatch(body, word.start, word.end)
                and _PHRASE.fullmatch(body, last.end, word.start)
                and _OF_PHRASE.match(body, word.end)
            ):
                continue
        kept_words.append(word)
    return kept_words


def _rule(body: str, number: Number, words: list[Word]) -> str | None:
    """The rule by which the word that owns a number makes it a code; None if no word does."""
    word = _owner(body, number, words)
    if word is None or word.kind is WordKind.OTHERS:
        return None
    if number.form is Form.LETTER:
        return "letter-code"
    return "named" if word.kind is WordKind.NAMES else "weak"


def _owner(body: str, number: Number, words: list[Word]) -> Word | None:
    """The word that names a number, if it may name a code.

    In this order: the word before it, with nothing but a link between ("code is: 482913"); the word
    after it ("482913 is your code"); a name further back in the same sentence.
    """
    before = [word for word in words if word.end <= number.start]
    after = [word for word in words if word.start >= number.end]
    nearest = before[-1] if before else None
    near = nearest and number.start - nearest.end <= _LINKED
    if nearest and near and _LINK.fullmatch(body, nearest.end, number.start):
        return nearest if nearest.kind is not WordKind.DENIED else None
    if number.form in (Form.CUT, Form.LETTERS):
        return None
    if number.form is Form.ODD:
        return _password(body, number, before)
    return _name_after(body, number, nearest, after) or _name_further_back(body, number, before)


def _password(body: str, number: Number, before: list[Word]) -> Word | None:
    """The name in front of letters, digits and signs that "is" or a colon leads to.

    Of digits alone, nine or ten, it has to be a name that only codes have, and the last one.
    """
    naming = [word for word in before if word.kind in NAMING]
    if not naming:
        return None
    word = naming[-1]
    if not _SIGNS.search(body, number.start, number.end) and not (
        word.kind is WordKind.NAMES
        and word is before[-1]
        and _LONG.fullmatch(body, number.start, number.end)
    ):
        return None
    led = number.start - word.end <= BEFORE_CHARS and LINK_END.search(body, word.end, number.start)
    return word if led and not STOP.search(body, word.end, number.start) else None


def _name_after(body: str, number: Number, nearest: Word | None, after: list[Word]) -> Word | None:
    """The word after a number that names it: "482913 is your code", or a number that leads."""
    after = [word for word in after if not _has_own_number(body, word, after)]
    leads = leading(body, number)
    if after and after[0].kind is WordKind.OTHERS and not body[number.end : after[0].start].strip():
        return None
    if leads:
        after = [word for word in after if word.kind is not WordKind.OTHERS]
    if not after or after[0].start - number.end > _AFTER:
        return None
    word = after[0]
    if STOP.search(body, number.end, word.start):
        return None
    if leads:
        return word
    said = _IS_YOURS.match(body, number.end, word.start)
    touching = word.start - number.end <= 1  # "482913 kodu ile"
    if word.kind in NAMING and (said or touching):
        return word
    free = nearest is None or STOP.search(body, nearest.end, number.start)
    return word if free and number.sure and word.kind is WordKind.NAMES else None


def _has_own_number(body: str, word: Word, after: list[Word]) -> bool:
    """Tell if a word names the number behind it, by itself or by the next: "enter code 0000"."""
    following = next((each for each in after if 0 <= each.start - word.end <= 1), word)
    return any(_OWN_NUMBER.match(body, each.end) for each in (word, following))


def _name_further_back(body: str, number: Number, before: list[Word]) -> Word | None:
    """A name in front of a number in the same sentence, past words that do not hold the number."""
    reach = BEFORE_CHARS
    if number.sure and LINK_END.search(body, max(0, number.start - _LINKED), number.start):
        reach = _SAID_CHARS
    for word in reversed(before):
        between = number.start - word.end
        stopped = between > reach or STOP.search(body, word.end, number.start)
        if stopped or word.kind is WordKind.DENIED:
            return None
        linked = (
            _LOOSE_LINK.fullmatch(body, word.end, number.start) is not None
            or _AMOUNT_LINK.fullmatch(body, word.end, number.start) is not None
        )
        if word is before[-1] and _owned_by(body, word, number):
            return word
        if word.kind is WordKind.NAMES and (linked or (number.sure and not WARNING.search(body))):
            if (
                word is before[-1]
                or LINK_END.search(body, word.end, number.start)
                or (
                    number.start - before[-1].end > _HELD_LOOSELY
                    and _PHRASE.fullmatch(body, word.end, number.start)
                )
            ):
                return word
        elif word.kind is WordKind.WEAK and linked:
            return word
        if between <= _HELD:
            return None
    return None


def _owned_by(body: str, word: Word, number: Number) -> bool:
    """Tell if between a name and its number there is only whose code it is.

    The number is of letters and digits and has to end the sentence.
    """
    return (
        word.kind is WordKind.NAMES
        and number.form is Form.MIXED
        and FOR_WHOM.fullmatch(body, word.end, number.start) is not None
        and (number.end == len(body.rstrip()) or STOP.match(body, number.end) is not None)
        and not TELLING.search(body, word.end, number.start)
    )


_NUMBER_WORD: Final = any_of(
    branches(
        "number|number is|nummer[a-z]{0,2}|numer[a-z]{0,3}|numero[a-z]{0,3}|szam[a-z]{0,4}"
        "|cisl[a-z]{0,4}"
        "|номер[а-я]{0,3}|числ[а-я]{0,3}"
        "|αριθμο[ςυ]|broj[a-z]{0,3}|број[а-я]{0,3}|numar[a-z]{0,3}|numr[a-z]{0,2}"
        "|raqam[a-z]{0,5}|nomor|nombor|nomer|zenbaki[a-z]{0,3}|namba|lamba[a-z]{0,3}|skaitl[a-z]{0,3}"
        "|号码|號碼|番号|번호|رقم|شماره|מספר|नंबर|নম্বর|எண்|సంఖ్య|ಸಂಖ್ಯೆ|നമ്പർ|નંબર|ਨੰਬਰ|අංකය|หมายเลข"
    )
)
"""A number's plainest name, by which codes are called as well."""


def held(body: str, number: Number, words: list[Word], scripts: list[Script]) -> bool:
    """Tell if a number is something else's: by a word in front of it with no other, or behind it.

    Also behind a question, which tells whom to call, and in brackets with what it refers to. Where
    a sentence tells what its number is for, or where it is typed in, "number" alone holds none.
    """
    if _ASKED.search(body, max(0, number.start - 4), number.start):
        return True
    if _MASKED.fullmatch(body, number.start, number.end):
        return True
    bracket = _BRACKET.search(body, max(0, number.start - _LINKED), number.start)
    if bracket and _CLOSED.match(body, number.end):
        inside = [word for word in words if bracket.start() <= word.start < number.start]
        return all(word.kind not in NAMING for word in inside)
    before = [word for word in words if word.end <= number.start]
    if before and before[-1].kind in (WordKind.OTHERS, WordKind.DENIED):
        start, end, _ = before[-1]
        if _OBJECT.fullmatch(body, start, end):
            linked = (
                number.start - end <= _HELD or _LINK.fullmatch(body, end, number.start) is not None
            )
        else:
            linked = number.start - end <= _LINKED and not _SPENT.search(body, end, number.start)
        of_another = _OF_ANOTHER.search(body, max(0, start - 2), start)
        by = _BY_BEFORE.search(body, max(0, number.start - _BY_CHARS), number.start)
        done = by is not None and not start < by.start() < end  # "ending with"
        if linked and not of_another and not done and not _of_use(body, number, before, scripts):
            return True
    return any(
        word.kind is WordKind.OTHERS
        and 0 <= word.start - number.end <= 1
        and not _BEFORE_ITS_NUMBER.fullmatch(body, word.start, word.end)
        for word in words
    )


def _of_use(body: str, number: Number, before: list[Word], scripts: list[Script]) -> bool:
    """Tell if a number is called just so, in a sentence that tells its use as of a code."""
    start, end, _ = before[-1]
    if not _NUMBER_WORD.fullmatch(body, start, end):
        return False
    if len(before) > 1 and before[-2].kind is WordKind.OTHERS and start - before[-2].end <= 1:
        return False  # "order number"
    first, last = sentence_span(body, number)
    sentence = body[first:last]
    return cues_of(sentence, scripts)[0] or typed_in(sentence, scripts)


def done_with(body: str, number: Number) -> bool:
    """Tell if something is done with a number: "Confirm the new phone with 7FQ2K"."""
    if number.form is Form.MIXED and _LURE.match(body, number.start, number.end):
        return False
    return (
        _BY_BEFORE.search(body, max(0, number.start - _BY_CHARS), number.start) is not None
        or _BY_AFTER.match(body, number.end) is not None
    )
