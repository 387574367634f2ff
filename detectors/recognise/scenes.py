"""Find evidence against a code: other scenes, offers, advertising, numbers for a courier.

Words such as "code" and "PIN" name many kinds of numbers. The rest of the text shows which kind a
number is. A *scene* is the topic of a text: parcels, shops, gates or prizes.
"""

import re
from typing import Final

from detectors.recognise.lexicon import any_of
from detectors.recognise.scripts import Script, Word, WordKind, cues_of, typed_in
from detectors.recognise.sentences import STOP
from detectors.recognise.shapes import MONEY_CODES, Form, Number, has_link, sentence_span
from detectors.recognise.words import all_words

SPAM: Final = any_of(all_words("spam"))
"""Words of casino texts and of sellers of text messages."""
LEAVE: Final = any_of(all_words("leave"))
"""Words about how to unsubscribe, which are mandatory in advertising."""
ASKS: Final = re.compile("[?？]")
"""The end of a question. Questions are usually between people."""
_PERCENT: Final = re.compile("0\\s?%|%\\s?0")  # an offer
_COMMA: Final = re.compile("[,，،、;；](?!0)")
_SHOP: Final = re.compile("[a-z]{2,}0{2,}")
_TICKET: Final = re.compile("[a-z]-?0{2,3}")  # A112 is a queue ticket
_MONEY: Final = (  # names of currencies after an amount
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
_BEFORE_CHARS: Final = 8  # length of the longest currency before a number
_MONEY_AFTER: Final = re.compile(
    "[,.]-|\\s?(?:[$€£₽₹₪฿₫đ₺₴₸₼₾֏₮៛元円원块塊]|บาท|บ[.]|ريال|تومان|درهم|جنيه|دينار|روپے|روپيه|টাকা|रुपये|रु|રૂ"
    f"|ரூ|రూ|ರೂ|രൂപ|රු|กีบ|ກີບ|រៀល|ကျပ်|ლარი|դրամ|ብር|ש[\"״'׳]ח|(?:{_MONEY})(?![^\\W\\d_]))"
)
_PIN: Final = re.compile("(?<![a-zа-я])(?:pin|пин)[ -]?(?:bb|cod[eo]|kode?|код)?\\W{0,4}$")
_PIN_CHARS: Final = 16
_SETTINGS: Final = re.compile(  # settings for a phone that the carrier sends
    "(?:settings?|configurac[a-z]+|ajustes|parametr[a-z]+|einstellung[a-z]+|impostazioni|setelan|pengaturan"
    "|konfigurasi|ayar[a-z]+|cau hinh|cai dat|настро[а-я]+|налаштув[а-я]+|تنظيمات|اعدادات)"
    "[^.!?]{0,12}(?<![a-zа-я])(?:internet|mms|gprs|wap|apn|data|интернет|اينترنت|انترنت)"
    "|(?<![a-z])(?:mms|gprs|wap|apn|internet) (?:settings?|ayar[a-z]+|einstellung[a-z]+)"
    "|(?:guarda[er]?|instala[er]?|guarde|instale|simpan|menyimpan|save|install|saving|salv[ae]r?|enregistre[rz])"
    " [^.!?]{0,12}(?:settings?|ajustes|configurac[a-z]+|pengaturan|setelan|parametres)"
    "|ذخيره تنظيمات|تنظيمات [^.]{0,12}ذخيره"
)
_SAVED: Final = re.compile(  # instructions to save such settings, which have a number of their own
    "(?:save|install|store|guarda[er]?|instala[er]?|guarde|instale|salv[ae]r?|simpan|enregistre[rz]"
    "|speicher[a-z]+|salva(?:re)?|zapisz|сохрани[а-я]*|установи[а-я]*|احفظ|luu|kaydedin)"
    " [^.!?0]{0,20}(?:settings?|set-?up|configura[a-z]+|einstellung[a-z]+|impostazioni"
    "|parametr[a-z]+|ustawienia|настройк[а-я]+|اعدادات|تنظيمات|cau hinh|cai dat|ayar[a-z]+"
    "|pengaturan|setelan)"
)
_PLAIN_CHARS: Final = 120  # longest code text that says how to unsubscribe; adverts are longer
_CUES_IN_A_SCENE: Final = 2  # cues that a code with a weak name needs in another scene


def price(body: str) -> bool:
    """Return whether a text has an amount of money, with the currency before or after it."""
    return any(
        _MONEY_AFTER.match(body, run.end())
        or _MONEY_BEFORE.search(body, max(0, run.start() - _BEFORE_CHARS), run.start())
        for run in _RUN.finditer(body)
    )


def percent(body: str) -> bool:
    """Return whether a text has a percentage."""
    return _PERCENT.search(body) is not None


def other_words(body: str, scripts: list[Script]) -> bool:
    """Return whether a text has words about parcels, shops, gates or prizes."""
    return any(script.other_scene(body) for script in scripts)


def advertises(sentence: str) -> bool:
    """Return whether a sentence sells something, has a link, or says how to unsubscribe."""
    return (
        LEAVE.search(sentence) is not None
        or SPAM.search(sentence) is not None
        or percent(sentence)
        or price(sentence)
        or has_link(sentence)
    )


def weak_rule(body: str, number: Number, scripts: list[Script]) -> str:
    """Return the rule for a number with a weak name: "weak-login", "weak", or "held" (no code)."""
    _, end = sentence_span(body, number.start, number.end)
    if ASKS.match(body, end):
        return "held"
    cues = sum(cues_of(body, scripts))
    odd = number.form is Form.ODD and not cues
    if odd or _TICKET.fullmatch(body, number.start, number.end):
        return "held"
    if number.form is Form.MIXED and _PIN.search(
        body, max(0, number.start - _PIN_CHARS), number.start
    ):
        return "held"  # a PIN has only digits; with letters it is a messenger's address or a prize
    if _SETTINGS.search(body):
        return "held"
    body = before_advert(body, number, scripts)
    told = cues >= _CUES_IN_A_SCENE and number.sure and not _PERCENT.search(body)
    if not told and (other_scene(body, number, scripts) or _offer(body, number, scripts)):
        return "held"
    return "weak-login" if cues else "weak"


def of_settings(body: str) -> bool:
    """Return whether the text asks to save phone settings. Their number is the same for everybody.

    >>> of_settings("please save the setup that follows. security code is 0000")
    True
    """
    return _SAVED.search(body) is not None


def to_keep(body: str, number: Number, scripts: list[Script]) -> bool:
    """Return whether a text asks for secrecy or says where to type the number in.

    Advertising does neither.
    """
    if number.form is not Form.DASHED and not number.sure:
        return False
    start, end = sentence_span(body, number.start, number.end)
    return cues_of(body, scripts)[1] or typed_in(body[start:end], scripts)


def plain_way_out(body: str, number: Number) -> bool:
    """Return whether a way to unsubscribe is no sign of advertising in this text.

    Some senders of codes add how to unsubscribe, and their texts are still codes. So the result is
    true if the text is short, mentions no price, and `number` has the shape of a code for certain
    (`Number.sure`).
    """
    short = len(body) <= _PLAIN_CHARS
    return number.sure and short and not price(body)


def of_another(body: str, number: Number, words: list[Word], scripts: list[Script]) -> bool:
    """Return whether letters and digits belong to another scene, for example to a booking.

    The words that name codes are ignored. Any other cue of a code makes the result false.
    """
    for word in words:
        if word.kind is WordKind.NAMES:
            body = f"{body[: word.start]}{' ' * (word.end - word.start)}{body[word.end :]}"
    return not any(cues_of(body, scripts)) and other_scene(body, number, scripts)


def other_scene(body: str, number: Number, scripts: list[Script]) -> bool:
    """Return whether a weak name probably names another number, by words about parcels or shops.

    A sentence that asks for secrecy does not count: "not even to your driver". If the number's own
    sentence gives the purpose of a code, the other sentences do not count, unless the number looks
    like a shop's code. Words about unsubscribing do not count if the number is sure or the text
    asks for secrecy.
    """
    if _PERCENT.search(body):
        return True
    if number.sure or cues_of(body, scripts)[1]:
        body = LEAVE.sub(lambda found: "_" * len(found[0]), body)
    if not any(script.other_scene(body) for script in scripts):
        return False
    start, end = sentence_span(body, number.start, number.end)
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
    """Return the text before an advert with a percentage: "Log in with 4829. 20% off today".

    The part before the advert must give the purpose of the code and must end with a sentence or a
    comma. Otherwise the whole text is returned.
    """
    if not number.sure or not _PERCENT.search(body, number.end):
        return body
    start, end = sentence_span(body, number.start, number.end)
    comma = _COMMA.search(body, number.end, end)
    if comma and cues_of(body[start : comma.start()], scripts)[0]:
        end = comma.start()
    elif not cues_of(body[start:end], scripts)[0]:
        return body
    return body[:end] if _PERCENT.search(body, end) else body


def _lure(body: str, number: Number) -> bool:
    """Return whether a number is a word with digits after it, as shops use: KFC1010."""
    return number.form is Form.MIXED and _SHOP.fullmatch(body, number.start, number.end) is not None


def _offer(body: str, number: Number, scripts: list[Script]) -> bool:
    """Return whether a number is such a shop's code in a text with a price and without secrecy."""
    return _lure(body, number) and price(body) and not cues_of(body, scripts)[1]


def handed_over(body: str, number: Number, scripts: list[Script]) -> bool:
    """Return whether the number's sentence asks to give it to a courier or to show it at a till.

    If the sentence also gives the purpose of a code or asks for secrecy, it must contain a word for
    "tell" or "show".
    """
    start, end = sentence_span(body, number.start, number.end)
    sentence = body[start:end]
    return any(script.names_courier(sentence) for script in scripts) and (
        any(script.asks_to_tell(sentence) for script in scripts)
        or not any(cues_of(sentence, scripts))
    )
