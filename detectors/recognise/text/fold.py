"""Normalise texts before any rule reads them: folding, masking of digits, and keys of names.

Texts that look alike to a reader get the same characters. Folding removes differences of width,
case and accents, converts native digits, removes invisible characters, and converts look-alike
letters of another script. Each character becomes one character or none, so a place in the folded
text can be converted back.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from detectors.recognise.text.patterns import section

_SEEN: Final = section("fold")

NAME_VERSION: Final = 2
"""Version of platform keys (`keys.py`, `name_key`). Checkpoints keep ids of platforms, and gateways
compute them. Whatever changes the key of any platform must raise this number. A state of another
version is refused."""

MASK: Final = bytes.maketrans(b"123456789", b"000000000")
"""Table that masks ASCII digits in UTF-8: `text.encode().translate(MASK)`. Ten times faster than
`str.translate`."""

_RANGES: Final = (
    (0x00A0, 0x02AF),  # Latin with accents
    (0x0300, 0x036F),  # combining marks
    (0x0591, 0x05C7),  # Hebrew points
    (0x0600, 0x06FF),  # Arabic: vowel signs, digits, forms of alef, yeh and kaf
    (0x07C0, 0x07C9),
    (0x0966, 0x0DEF),  # Indic digits
    (0x0E50, 0x0E59),  # Thai digits
    (0x0ED0, 0x0ED9),
    (0x1040, 0x1049),
    (0x17E0, 0x17E9),
    (0x115F, 0x1160),  # Hangul fillers
    (0x180B, 0x180E),
    (0x1E00, 0x1EFF),  # Latin with accents: Vietnamese
    (0x2000, 0x206F),  # spaces, invisible characters, direction marks
    (0x2070, 0x209C),  # superscripts
    (0x20D0, 0x20FF),
    (0x2100, 0x214F),  # letter-like symbols
    (0x2460, 0x24FF),  # circled digits and letters
    (0x2776, 0x2793),
    (0x3000, 0x3000),
    (0x3164, 0x3164),
    (0xD800, 0xDFFF),  # lone surrogates, which are no characters
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFF10, 0xFFA0),  # full width, half-width katakana
    (0x1D400, 0x1D7FF),  # mathematical letters and digits
    (0x1F100, 0x1F189),
    (0xE0000, 0xE007F),  # tags
)

_SINGLE: Final = dict.fromkeys("\u115f\u1160\u3164\uffa0\u034f\u0640\u180b\u180c\u180d", "") | dict(
    zip("đĐıİøØłŁىیکأإآةۀ", "ddiioollييكاااهه", strict=True)
)


def _fold_character(character: str) -> str:
    if character in _SINGLE:
        return _SINGLE[character]
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category in ("Cf", "Mn", "Me") or 0xFE00 <= ord(character) <= 0xFE0F:
        # Vowel signs of Indic scripts are needed to read a word. Other marks are removed.
        return character if 0x0900 <= ord(character) <= 0x0DFF else ""
    if category == "Zs":
        return " "
    plain = "".join(
        part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part)
    )
    if len(plain) == 2 and plain[0].isdigit() and plain[1] in ".,":
        return plain[0]  # a digit with a full stop or comma, as one character
    return plain if len(plain) == 1 and plain.isalnum() else character


def _table() -> dict[int, str]:
    points = (point for first, last in _RANGES for point in range(first, last + 1))
    pairs = ((point, _fold_character(chr(point))) for point in points)
    return {point: folded for point, folded in pairs if folded != chr(point)}


_FOLD: Final = _table()
_ASTRAL: Final = "".join(
    f"{chr(first)}-{chr(last)}" for first, last in _RANGES if first > 0xFFFF
)  # ranges: a class of single characters beyond 16 bits is a hundred times slower
_ODD: Final = re.compile(
    "[" + "".join(re.escape(chr(point)) for point in _FOLD if point <= 0xFFFF) + _ASTRAL + "]"
)


def _native_digits() -> str:
    points = sorted(point for point, folded in _FOLD.items() if folded.isdigit())
    firsts = [p for p, before in zip(points, [-1, *points], strict=False) if p - 1 != before]
    lasts = [p for p, after in zip(points, [*points[1:], -1], strict=True) if p + 1 != after]
    return "[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(firsts, lasts, strict=True)) + "]"


_NATIVE_DIGIT: Final = re.compile(_native_digits())

# Letters that look alike in Latin, Cyrillic and Greek. A word that mixes scripts is converted to
# the script of most of its letters.
_LATIN: Final = "aaeeooppccyxiijskhbmtvnu" + "w" + "d" + "g" + "q"
_OTHER: Final = "аαеεоοрρсϲуχіιјѕкһвмтνпυ" + "ш" + "ԁ" + "ɡ" + "ԛ"
_TO_LATIN: Final = str.maketrans(_OTHER, _LATIN)
_TO_CYRILLIC: Final = str.maketrans("aeopcyxkmtbh", "аеорсухкмтвн")


def _one_script(word: re.Match[str]) -> str:
    letters = word[0]
    if not _SEEN.mixed.search(letters):
        return letters
    latin = sum(letter <= "z" for letter in letters)
    return letters.translate(_TO_LATIN if 2 * latin >= len(letters) else _TO_CYRILLIC)


def fold(text: str) -> str:
    r"""Return the folded text. It is never longer than `text`. Plain text is only lowercased.

    >>> fold("ＯＴＰ １２３４: Vé\u200brif")
    'otp 1234: verif'
    """
    if not text.isascii() and _ODD.search(text):
        text = text.translate(_FOLD)
    text = text.lower()
    if not text.isascii() and _SEEN.mixed.search(text):
        text = _SEEN.word.sub(_one_script, text)
    return text


def has_native_digits(text: str) -> bool:
    """Return whether a text has digits that `MASK` does not mask: full width, Arabic, circled.

    >>> has_native_digits("१२"), has_native_digits("é12")
    (True, False)
    """
    return not text.isascii() and _NATIVE_DIGIT.search(text) is not None


def map_places(text: str) -> list[int]:
    r"""Return the place in `text` of each character of `fold(text)`.

    >>> map_places("1\u200b2")
    [0, 2]
    """
    return [place for place, letter in enumerate(text) if _FOLD.get(ord(letter), letter)]


def mask(text: str) -> str:
    """Return the text with every ASCII digit replaced by 0.

    >>> mask("Code 4071")
    'Code 0000'
    """
    return text.encode("utf-8", "surrogatepass").translate(MASK).decode("utf-8", "surrogatepass")


# Traditional characters in names of platforms and their simplified forms. The table has those of
# the shipped registry and of large brands in Taiwan and Hong Kong. Operators can add aliases.
_SIMPLIFIED: Final = str.maketrans(
    "銀國門電訊聯動寶東點評滴騰訊網絡雲賬號號證驗業務農設發華爾圖書買賣車運馬當勞麥鐵貓蝦團飛豬餓"
    "攜順豐鄉陽圓鵝遊戲愛樂視頻簡閱讀學習財產險壽義烏臺灣龍廣東蘇寧達創維際際時報風雷劍獵豹貸寬帶"
    "鏈幣場開戶應極優選衛醫療藥價購線興業範紅數據錢訂語樓見覺錄長問單萬億實員會議個麗萊綠",
    "银国门电讯联动宝东点评滴腾讯网络云账号号证验业务农设发华尔图书买卖车运马当劳麦铁猫虾团飞猪饿"
    "携顺丰乡阳圆鹅游戏爱乐视频简阅读学习财产险寿义乌台湾龙广东苏宁达创维际际时报风雷剑猎豹贷宽带"
    "链币场开户应极优选卫医疗药价购线兴业范红数据钱订语楼见觉录长问单万亿实员会议个丽莱绿",
)
_BRACKETS: Final = " \t\r\n[]【】［］〔〕〖〗「」『』<>《》()（）"
_NAME_CHARS: Final = 64
_NOT_NAME: Final = frozenset("PZSC")  # punctuation, spaces, symbols, controls: general categories


@lru_cache(4_096)
def name_key(name: str) -> str:
    """Return the key of a platform's name: one spelling for all its variants.

    Keys are persisted, so a change needs a new `NAME_VERSION`. The first 64 characters are folded
    and converted from traditional to simplified Chinese. Characters other than letters and digits
    are removed, and suffixes such as 科技, APP or Ltd. The key is empty if nothing remains.

    >>> name_key("【淘寶　ＡＰＰ】"), name_key("Crédit-Agricole"), name_key("Acme, Inc.")
    ('淘宝', 'creditagricole', 'acme')
    """
    name = fold(name[:_NAME_CHARS]).strip(_BRACKETS).translate(_SIMPLIFIED)
    name = _SEEN.latin_suffix.sub("", name)
    if not name.isalnum():
        name = "".join(c for c in name if unicodedata.category(c)[0] not in _NOT_NAME)
    return _SEEN.chinese_suffix.sub("", name)
