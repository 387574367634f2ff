"""Finds what speaks against a code: other scenes, offers, advertising, numbers for a courier.

Words such as "code" and "PIN" name many numbers. What a text tells besides says which kind it is.
"""

from __future__ import annotations

import re
from typing import Final

from detectors.recognise.lexicon import any_of
from detectors.recognise.owners import LINK_END
from detectors.recognise.scripts import Script, Word, WordKind, cues_of, typed_in
from detectors.recognise.sentences import STOP
from detectors.recognise.shapes import MONEY_CODES, Form, Number, sentence_span
from detectors.recognise.words import all_words

SPAM: Final = any_of(all_words("spam"))
"""Casino texts and sellers of text messages."""
LEAVE: Final = any_of(all_words("leave"))
"""A way to unsubscribe, which advertising has to tell."""
ASKS: Final = re.compile("[?？]")
"""The end of a question: people ask each other."""
_PERCENT: Final = re.compile("0\\s?%|%\\s?0")  # an offer
_COMMA: Final = re.compile("[,，،、;；](?!0)")
_SHOP: Final = re.compile("[a-z]{2,}0{2,}")
_TICKET: Final = re.compile("[a-z]-?0{2,3}")  # A112 is called up at a counter
_MONEY: Final = (  # names of money behind an amount
    "tl|try|lira|eur|euros?|usd|dollars?|gbp|pounds?|d|vnd|dong|р|руб|rub|грн|uah|тг|тенге|kzt|сум|som|сом|ман"
    "|zl|pln|kc|czk|ft|huf|lei|ron|лв|bgn|kn|din|rsd|дин|den|kr|sek|nok|dkk|isk|chf|fr"
    "|rb|ribu|jt|juta|rupiah|rm|ringgit|php|pesos?|mxn|ars|cop|clp|soles|bs|reais|real|brl"
    "|rs|inr|rupees?|pkr|lkr|npr|bdt|taka|aed|sar|qar|omr|kwd|egp|dh|dhs|dirhams?|riyals?"
    "|ksh|kes|tsh|tzs|ugx|ngn|naira|ghs|cedis?|zar|rand|birr|fcfa|xof|azn|manat|gel|amd|mnt|mts?"
)
_RUN: Final = re.compile("0+")
_MONEY_BEFORE: Final = re.compile(
    "(?:[$€£¥₩₽₹฿₫₪₺₴₸₼₾֏₮৳₦₱៛]"
    "|(?<![a-z])(?:rp|rs|rm|r[$]|us[$]|nt[$]|hk[$]|ksh|tsh|usd|eur|gbp|inr|idr|vnd|aed|sar|egp|php"
    f"|ngn|kes|zar|pkr|kr|chf|bs|fcfa|sr|{MONEY_CODES})[.:]?"
    "|(?:रु|রু|ਰੁ|રૂ|ரூ|రూ|ರೂ|රු)[.]?)\\s?$"
)
_BEFORE_CHARS: Final = 8  # of those words, with the longest
_MONEY_AFTER: Final = re.compile(
    "[,.]-|\\s?(?:[$€£₽₹₪฿₫đ₺₴₸₼₾֏₮៛元円원块塊]|บาท|บ[.]|ريال|تومان|درهم|جنيه|دينار|روپے|روپيه|টাকা|रुपये|रु|રૂ"
    f"|ரூ|రూ|ರೂ|രൂപ|රු|กีบ|ກີບ|រៀល|ကျပ်|ლარი|դրամ|ብር|ש[\"״'׳]ח|(?:{_MONEY})(?![^\\W\\d_]))"
)
_PIN: Final = re.compile("(?<![a-zа-я])(?:pin|пин)[ -]?(?:bb|cod[eo]|kode?|код)?\\W{0,4}$")
_PIN_CHARS: Final = 16
_SETTINGS: Final = re.compile(  # a phone's, which the carrier sends
    "(?:settings?|configurac[a-z]+|ajustes|parametr[a-z]+|einstellung[a-z]+|impostazioni|setelan|pengaturan"
    "|konfigurasi|ayar[a-z]+|cau hinh|cai dat|настро[а-я]+|налаштув[а-я]+|تنظيمات|اعدادات)"
    "[^.!?]{0,12}(?<![a-zа-я])(?:internet|mms|gprs|wap|apn|data|интернет|اينترنت|انترنت)"
    "|(?<![a-z])(?:mms|gprs|wap|apn|internet) (?:settings?|ayar[a-z]+|einstellung[a-z]+)"
    "|(?:guarda[er]?|instala[er]?|guarde|instale|simpan|menyimpan|save|install|saving|salv[ae]r?|enregistre[rz])"
    " [^.!?]{0,12}(?:settings?|ajustes|configurac[a-z]+|pengaturan|setelan|parametres)"
    "|ذخيره تنظيمات|تنظيمات [^.]{0,12}ذخيره"
)
_SAVED: Final = re.compile(  # with a number of their own
    "(?:save|install|store|guarda[er]?|instala[er]?|guarde|instale|salv[ae]r?|simpan|enregistre[rz]"
    "|speicher[a-z]+|salva(?:re)?|zapisz|сохрани[а-я]*|установи[а-я]*|احفظ|luu|kaydedin)"
    " [^.!?0]{0,20}(?:settings?|set-?up|configura[a-z]+|einstellung[a-z]+|impostazioni"
    "|parametr[a-z]+|ustawienia|настройк[а-я]+|اعدادات|تنظيمات|cau hinh|cai dat|ayar[a-z]+"
    "|pengaturan|setelan)"
)
_CODE_DIGITS: Final = 8  # of nearly all codes, at most
_MIXED: Final = re.compile("[^0]")
_LED_CHARS: Final = 24  # of "is" or a colon in front of a number, with its longest words
_PLAIN_CHARS: Final = 120  # of a code with a way to unsubscribe; advertising is longer
_CUES_IN_A_SCENE: Final = 2  # cues that tell a weak name's code in a text of parcels or prices


def price(body: str) -> bool:
    """Tell if a text names an amount of money: before a number, or behind it."""
    return any(
        _MONEY_AFTER.match(body, run.end())
        or _MONEY_BEFORE.search(body, max(0, run.start() - _BEFORE_CHARS), run.start())
        for run in _RUN.finditer(body)
    )


def percent(body: str) -> bool:
    """Tell if a text names a share in percent."""
    return _PERCENT.search(body) is not None


def other_words(body: str, scripts: list[Script]) -> bool:
    """Tell if a text has words of courier, shop, gate or prize texts."""
    return any(script.other_scene(body) for script in scripts)


def weak_rule(body: str, number: Number, scripts: list[Script]) -> str:
    """The rule for a number that hangs on a weak name."""
    _, end = sentence_span(body, number)
    if ASKS.match(body, end):
        return "held"
    cues = sum(cues_of(body, scripts))
    odd = number.form is Form.ODD and not cues
    if odd or _is_reference(body, number) or _TICKET.fullmatch(body, number.start, number.end):
        return "held"
    if number.form is Form.MIXED and _PIN.search(
        body, max(0, number.start - _PIN_CHARS), number.start
    ):
        return "held"  # a PIN is of digits: one with letters is a messenger's address, or a prize's
    if _SETTINGS.search(body):
        return "held"
    body = before_advert(body, number, scripts)
    told = cues >= _CUES_IN_A_SCENE and number.sure and not _PERCENT.search(body)
    if not told and (other_scene(body, number, scripts) or _offer(body, number, scripts)):
        return "held"
    return "weak-login" if cues else "weak"


def of_settings(body: str) -> bool:
    """Tell if a phone is to save what the carrier sends it, with a number that is the same for all.

    >>> of_settings("please save the setup that follows. security code is 0000")
    True
    """
    return _SAVED.search(body) is not None


def _is_reference(body: str, number: Number) -> bool:
    """Tell if nine or ten digits stand in the middle of a sentence, with no "is" before them."""
    if number.end - number.start <= _CODE_DIGITS:
        return False
    _, end = sentence_span(body, number)
    return not (
        _MIXED.search(body, number.start, number.end)
        or not body[number.end : end].strip()
        or LINK_END.search(body, max(0, number.start - _LED_CHARS), number.start)
    )


def to_keep(body: str, number: Number, scripts: list[Script]) -> bool:
    """Tell if a text tells to keep its number, or where to type it in; no advertising does."""
    if number.form is not Form.DASHED and not number.sure:
        return False
    start, end = sentence_span(body, number)
    return cues_of(body, scripts)[1] or typed_in(body[start:end], scripts)


def plain_way_out(body: str, number: Number) -> bool:
    """Tell if a text tells how to unsubscribe and sells nothing, as some senders' codes do."""
    short = len(body) <= _PLAIN_CHARS
    return number.sure and short and not price(body)


def of_another(body: str, number: Number, words: list[Word], scripts: list[Script]) -> bool:
    """Tell if letters and digits confirm a flight or a booking, by no cue but their name."""
    for word in words:
        if word.kind is WordKind.NAMES:
            body = f"{body[: word.start]}{' ' * (word.end - word.start)}{body[word.end :]}"
    return not any(cues_of(body, scripts)) and other_scene(body, number, scripts)


def other_scene(body: str, number: Number, scripts: list[Script]) -> bool:
    """Tell if a weak name is likely to name something else: by what a text tells of parcels, shops.

    A sentence that tells to keep the code does not count: "not even to your driver". Nor does the
    rest of the text where the number's own sentence tells what the code is for, unless the number
    is such as shops give; nor how to unsubscribe where the text tells to keep the code.
    """
    if _PERCENT.search(body):
        return True
    if number.sure or cues_of(body, scripts)[1]:
        body = LEAVE.sub(lambda found: "_" * len(found[0]), body)
    if not any(script.other_scene(body) for script in scripts):
        return False
    start, end = sentence_span(body, number)
    own = body[start:end]
    if any(script.other_scene(own) for script in scripts):
        return True
    if cues_of(own, scripts)[0] and not _lure(body, number):
        return False
    rest = [*STOP.split(body[:start]), *STOP.split(body[end:])]
    return any(
        any(script.other_scene(part) for script in scripts) and not cues_of(part, scripts)[1]
        for part in rest
    )


def before_advert(body: str, number: Number, scripts: list[Script]) -> str:
    """The text up to an advert: a share in percent behind all that tells what a code is for.

    That has to end with its sentence or a comma: "Log in with 4829. 20% off today".
    """
    if not number.sure or not _PERCENT.search(body, number.end):
        return body
    start, end = sentence_span(body, number)
    comma = _COMMA.search(body, number.end, end)
    if comma and cues_of(body[start : comma.start()], scripts)[0]:
        end = comma.start()
    elif not cues_of(body[start:end], scripts)[0]:
        return body
    return body[:end] if _PERCENT.search(body, end) else body


def _lure(body: str, number: Number) -> bool:
    """Tell if a number is a word with digits behind it, as shops give them: KFC1010."""
    return number.form is Form.MIXED and _SHOP.fullmatch(body, number.start, number.end) is not None


def _offer(body: str, number: Number, scripts: list[Script]) -> bool:
    """Tell if a number is such a word beside a price, and nobody is to keep it."""
    return _lure(body, number) and price(body) and not cues_of(body, scripts)[1]


def handed_over(body: str, number: Number, scripts: list[Script]) -> bool:
    """Tell if a number is told to a courier or shown at a till, by the sentence that holds it.

    Where that sentence tells what a code is for or how to keep it, it has to say "tell" too.
    """
    start, end = sentence_span(body, number)
    sentence = body[start:end]
    return any(script.handed(sentence) for script in scripts) and (
        any(script.told(sentence) for script in scripts) or not any(cues_of(sentence, scripts))
    )
