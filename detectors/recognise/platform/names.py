"""Look up the names in `data/brands.toml`: known platforms, and words that are no platform names.

The module also decides whether a sender names a platform at all.
"""

import re
import tomllib
from functools import cache, lru_cache
from typing import Final, NamedTuple

from detectors.recognise.platform.registry import Line, Sender
from detectors.recognise.text.fold import fold, mask, name_key
from detectors.recognise.text.patterns import section
from detectors.recognise.text.shipped import read_data
from detectors.recognise.vocabulary.scripts import NAMING, scripts_of

_SEEN: Final = section("names")

TABLE: Final = tomllib.loads(read_data("brands"))
WORDS: Final = {kind: frozenset(words.split()) for kind, words in TABLE.items()}
NO_CHINESE: Final = re.compile(
    "^使用|^用[于於]|^欢迎|^歡迎|^[をがにのはへでと]|提醒$|填写|填寫|修改|口令|本次|完成|点击|點擊|尊敬|客户|客戶"
    "|办理|辦理|验证|驗證|登录|登錄|登入|注册|註冊|您|你|手机|手機|账号|帐号|帳號|密码|密碼"
    "|短信|正在|请|請|勿|本人|操作|身份|新设备|会员$|一次|动态|動態|订购|訂購|安全|确认|確認"
    "|^支付|^的|^为|^了|绑定|綁定|忘记|忘記|亲爱|親愛|先生|女士|小姐|重要|注意|通知|谢谢|謝謝"
    "|感谢|感謝|退订|退訂|转发|轉發|回复|回覆|有效|收到|輸入|输入|查收|領取|领取|以下"
    "|ください|様$|合約|合约|租約|簽署|签署|合同|^会員$|^利用者|クレジット|端末|画面|電話番号"
    "|^(?:北京|上海|广州|廣州|深圳|天津|重庆|重慶|杭州|南京|武汉|武漢|成都|西安|香港|台北|臺北|高雄|东京|東京|大阪|京都|名古屋|横浜|福岡|札幌)(?:市|から)?$"
)
"""Chinese and Japanese words for codes, for their purpose and for their readers. A text in which
this pattern matches is no platform's name."""
_GENERIC: Final = re.compile(f"(?:(?:{'|'.join(map(re.escape, sorted(WORDS['shared'])))})[-_. ]?)+")
_PLAIN: Final = frozenset(map(fold, WORDS["plain"]))


def tells_nobody(origin: Sender) -> bool:
    """Return whether a sender names no platform.

    This is true for no sender, an unregistered number, and a name that many platforms share.
    """
    if origin.owners:
        return False
    return origin.line is not Line.NAMED or origin.shared or is_generic(origin.key)


def is_generic(sender: str) -> bool:
    """Return whether a sender's name consists only of words that many platforms share.

    `sender` is normalised by `sender_key`.

    >>> [is_generic(sender) for sender in ("authmsg", "auth-msg", "myotpcode", "infobank")]
    [True, True, True, False]
    """
    return _GENERIC.fullmatch(sender) is not None


class Listed(NamedTuple):
    """The listed platform names in all spellings. The first spelling of a line is the main one."""

    names: dict[str, str]  # key of any spelling -> key of the main spelling
    spellings: dict[str, tuple[str, ...]]  # key of the main spelling -> keys of the others
    ordinary: frozenset[str]  # names that are also ordinary words
    unspaced: re.Pattern[str]  # names in scripts without spaces between words


@cache
def load_names() -> Listed:
    """Return the names of `data/brands.toml`. They are prepared at the first call."""
    names: dict[str, str] = {}
    ordinary: set[str] = set()
    spellings: dict[str, tuple[str, ...]] = {}
    for line in TABLE["listed"].strip().splitlines():
        words = line.split()
        first = name_key(words[0].lstrip("*"))
        spellings[first] = tuple(map(name_key, words[1:]))
        for word in words:
            if word.startswith("*"):
                ordinary.add(name_key(word[1:]))
            key = name_key(word.lstrip("*"))
            names[key] = first
            names[fold(word.lstrip("*"))] = first  # as written in texts: 蝦皮, but 虾皮 in keys
            if _SEEN.with_digits.fullmatch(key):
                names.setdefault(mask(key), first)  # the digits of a text are masked
    apart = sorted(filter(_SEEN.unspaced.search, names), key=len, reverse=True)
    begins = "".join(sorted({name[0] for name in apart}))  # a fast test before the search
    unspaced = re.compile(f"(?=[{begins}])(?:{'|'.join(map(re.escape, apart))})")
    return Listed(names, spellings, frozenset(ordinary), unspaced)


def names_a_code(name: str) -> bool:
    """Return whether a possible name is a word for codes, or for the purpose of a code."""
    camel = not name[1:].islower() and not name[1:].isupper()
    for body in dict.fromkeys((fold(name), name_key(name))):
        scripts = scripts_of(body)
        if any(w.kind in NAMING and w.start == 0 for script in scripts for w in script.words(body)):
            return True
        if not camel and any(script.is_purpose(body) for script in scripts):
            return True
    return False


@lru_cache(8_192)
def _stop(word: str) -> bool:
    return word.lower() in WORDS["unfolded"] or fold(word).strip(".'’") in WORDS["no_name"]


def is_a_codes(word: str) -> bool:
    """Return whether a word contains a word for codes, as in "Telekom-Sicherheitscode"."""
    body = fold(word)
    return any(each.kind in NAMING for script in scripts_of(body) for each in script.words(body))


def is_stop(word: str) -> bool:
    """Return whether a word is on the list of words that are no names, for example greetings."""
    return len(word) < 24 and _stop(word)


@lru_cache(4_096)
def is_plain(word: str) -> bool:
    """Return whether a word is an ordinary word, with or without a prefix such as "ال"."""
    body = fold(word)
    if body in _PLAIN or is_stop(word) or names_a_code(body):
        return True
    bare = _SEEN.together.sub("", body)
    return bare != body and (bare in _PLAIN or names_a_code(bare))
