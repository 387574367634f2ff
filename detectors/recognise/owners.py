"""Assign each number to the word that names it ("owns" it), by the text between the two.

The word nearest to the number is tried first.
"""

import re
from typing import Final

from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.scripts import NAMING, Script, Word, WordKind, cues_of, typed_in
from detectors.recognise.sentences import STOP
from detectors.recognise.shapes import Form, Number, leading, sentence_span
from detectors.recognise.words import LANGUAGES, all_words

# Largest distances in characters, chosen so that the training texts are read correctly. Typical
# values are 30 in Chinese and 50-100 in other languages.
_LINKED: Final = 30  # from a name to a number with only a linking phrase between
BEFORE_CHARS: Final = 100
"""Largest distance from a name to a later number in the same sentence, in characters."""
_SAID_CHARS: Final = 180  # the same if "is" or a colon precedes the number; payees have long names
_AFTER: Final = 60  # from a number to a later name in the same sentence
_HELD: Final = 4  # another name so near certainly owns the number
_HELD_LOOSELY: Final = 8  # another name so near may own the number, without a linking phrase

SAYS: Final = any_of(all_words("says")).pattern
"""Regular expression of the words for "is" between a name and its number."""
_GENDER: Final = "(?:/[^\\W\\d_]{1,3}|[(][^\\W\\d_]{1,3}[)])?"  # "הזן/י", "introduza(m)"
_MARKS: Final = "[\\s:：=\u2010-\u2015'\"“”‘’„「」『』【】\\[\\](){}（）<>«»*•،。~☞→➜➡▶↓←-]{0,12}"
_LINK: Final = re.compile(f"[.]{{3}}|{_GENDER}{_MARKS}(?:{SAYS})?{_MARKS}")
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
"""One or two words about the owner of a code, such as "for your"."""
_OWN_NUMBER: Final = re.compile(
    f"{_GENDER}{_MARKS}(?:{SAYS})?{_MARKS}(?<![0-9a-z])"
    "(?:0{4}|0{3}[ -]0{3}|(?=[a-z]{0,8}0)[0a-z]{4,9})"
)
LINK_END: Final = re.compile(f"(?:[:：=☞→➜➡▶↓]|(?<![a-z])(?:{SAYS}))\\s?$")
"""The end of a text that introduces a number: "is", a colon, an arrow."""
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
"""Words of warnings of criminals who ask for codes. The number in such a text is a hotline."""
TELLING: Final = any_of(
    branches(
        "sent|send|text|receive|request|发送|發送|获取|獲取|收到|接收|索取|透露|отправ|envia"
        # texts that ask to wait for a code
        "|wait for|await|espere|esperar|aguard|attendre|attendez|warten|wachten|aspetta|attenda"
        "|bekle|tunggu|cho nhan|doi nhan|ожида|дожд|дочека|очіку|poczekaj|oczekuj|pockejte"
        # texts that ask for a code by voice, or say that no code is needed
        "|назов|продикт|(?<![a-z])gui ma|не нужен|не требуется|not needed|not required|khong can"
        "|no es necesari|no se requiere|non serve|nicht notig|nicht erforderlich|gerekmez"
        "|tidak diperlukan|n['’]est pas necessaire|nao e necessari"
        "|等待|等候|お待ち|기다|انتظر|انتظار|منتظر|המתן|המתיני|प्रतीक्षा"
        "|इंतज|รอรับ|กรุณารอ"
    )
)
"""Words of texts about a code that is in another message."""
_SPENT: Final = re.compile("0|[。！？!?\n]|[.](?=\\s)")  # another number or the end of the sentence
_BY: Final = any_of(all_words("by"), "(?<![a-z])", "(?![a-z])").pattern
_BY_BEFORE: Final = re.compile(f"{_BY}\\s?['\"«“「]?$")
_BEHIND: Final = frozenset({"ja", "ko", "tr", "hi", "fa"})  # with a postposition
_BY_AFTER: Final = re.compile(
    "['’\"»”」]?\\s?"
    + any_of(
        [word for row in LANGUAGES if row.lang in _BEHIND for word in row.by],
        "(?<![a-z])",
        "(?![a-z])",
    ).pattern
)
_BY_CHARS: Final = 24
_LURE: Final = re.compile("[a-z]{4,}0+|[a-z]{3,}00")  # GREEN20 is a shop's code
_SIGNS: Final = re.compile("[a-z][^ ]{0,10}[#$@!&_]|[#$@!&_][^ ]{0,10}[a-z]")  # bib#62k
_LONG: Final = re.compile("0{9,10}")
_ASKED: Final = re.compile("[?？؟]\\s{1,2}$")  # "Not you? 0800 0000": a number to call
_BRACKET: Final = re.compile("[(（][^()（）0]{2,24}$")  # "(file 20418)": a reference
_CLOSED: Final = re.compile("\\s?[)）]")
_MASKED: Final = re.compile("x{2,6}0{2,4}")  # the last digits of an account: XX4471
_BEFORE_ITS_NUMBER: Final = re.compile("n[or]?[.]?")  # and in Portuguese "in the": "0000 no app"
_OF_ANOTHER: Final = re.compile("0\\s?$")  # a word after its own number: "000 ريال"


def owned_codes(body: str, found: list[Number], words: list[Word]) -> list[tuple[str, Number]]:
    """Return (rule, number) for the numbers that are codes by their words.

    The list ends with the first number whose rule is not "weak".
    """
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
    """Return the words without those that only describe a code: "PIN for your account: 0000"."""
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
    """Return the rule by which a number's word makes it a code, or None."""
    word = _owner(body, number, words)
    if word is None or word.kind is WordKind.OTHERS:
        return None
    if number.form is Form.LETTER:
        return "letter-code"
    return "named" if word.kind is WordKind.NAMES else "weak"


def _owner(body: str, number: Number, words: list[Word]) -> Word | None:
    """Return the word that names a number, or None if no suitable word is found.

    The order is: the word directly before the number, with only a linking phrase between ("code
    is: 482913"); the word after the number ("482913 is your code"); a name further back in the same
    sentence.
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
    """Return the name of a password-like number that "is" or a colon introduces, or None.

    If the number has only digits (nine or ten), the name must be one that only codes have, and it
    must be the last word before the number.
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
    """Return the word after a number that names it ("482913 is your code"), or None."""
    near = [word for word in after if word.start - number.end <= _AFTER]
    after = [word for word in near if not _has_own_number(body, word, after)]
    leads = leading(body, number)
    if after and after[0].kind is WordKind.OTHERS and not body[number.end : after[0].start].strip():
        return None
    if leads:
        after = [word for word in after if word.kind is not WordKind.OTHERS]
    if not after:
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
    """Return whether a word, or the next word, names the number after it: "enter code 0000"."""
    following = next((each for each in after if 0 <= each.start - word.end <= 1), word)
    return any(_OWN_NUMBER.match(body, each.end) for each in (word, following))


def _name_further_back(body: str, number: Number, before: list[Word]) -> Word | None:
    """Return a name earlier in the number's sentence, if no other word between owns the number."""
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
"""Words for "number". Codes are sometimes called so too."""


def is_owned_by_other(body: str, number: Number, words: list[Word], scripts: list[Script]) -> bool:
    """Return whether a number is not a code, because of a word before or after it.

    This is also true for a number after a question (a hotline), and for a reference in brackets. In
    a sentence that gives the purpose of a code or the place to type it in, the word "number" alone
    is not enough.
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
    """Return whether a number is only called "number", in a sentence about the use of a code."""
    start, end, _ = before[-1]
    if not _NUMBER_WORD.fullmatch(body, start, end):
        return False
    if len(before) > 1 and before[-2].kind is WordKind.OTHERS and start - before[-2].end <= 1:
        return False  # "order number"
    first, last = sentence_span(body, number.start, number.end)
    sentence = body[first:last]
    return cues_of(sentence, scripts)[0] or typed_in(sentence, scripts)


def done_with(body: str, number: Number) -> bool:
    """Return whether something is done with a number: "Confirm the new phone with 7FQ2K"."""
    if number.form is Form.MIXED and _LURE.match(body, number.start, number.end):
        return False
    return (
        _BY_BEFORE.search(body, max(0, number.start - _BY_CHARS), number.start) is not None
        or _BY_AFTER.match(body, number.end) is not None
    )
