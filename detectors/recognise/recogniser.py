"""Decide whether a message is a verification code, where the code is, who sent it, how sure it is.

`recognise` does this for one message, without a cache. `Recogniser` gives the same answers for the
columns of a batch, and caches them. An answer depends only on the text with masked digits, the
digits inside the sender's name, and the other fields of the event. All messages of one template
therefore share an answer, and each template is read once.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.codes import Codes
from detectors.model.event import Batch, Trust, name_check, platform_id
from detectors.model.strings import SPARE, StringBuffer, Strings
from detectors.recognise import glance, lures, scripts, spelled, spent
from detectors.recognise.fold import (
    MASK,
    fold,
    has_native_digits,
    mask,
    name_key,
)
from detectors.recognise.keys import BRAND, brand_key, host_key, id_key, key_of_sender
from detectors.recognise.names import tells_nobody
from detectors.recognise.reading import (
    READ_CHARS,
    Glanced,
    Look,
    Reading,
    excerpt,
    in_text,
    likely,
    look,
    names_codes,
    prescan_texts,
    read,
)
from detectors.recognise.registry import Line, Registry, Sender
from detectors.recognise.rules import RULES
from detectors.recognise.signature import is_note, is_plain_head, signature_span
from detectors.recognise.weigh import (
    confidence,
    decide_by_scores,
    model,
    name_rule,
    score_texts,
    surely_named,
)

if TYPE_CHECKING:
    from detectors.recognise.brands import Brand

OTP_CATEGORY: Final = "otp"
PERSONS: Final = "p2p"
"""The category of texts between people. They are never read."""
OTHER_CATEGORIES: Final = frozenset({"txn", "notice", "marketing", PERSONS})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of `recognise` about one message."""

    otp: bool  # True if the confidence is at least `confidence_min`
    confidence: float  # 0..1: probability of a verification code
    code_span: tuple[int, int] | None  # start and end of the code in the text; None if not shown
    platform: str  # platform key: `sig:`, `from:` or `id:`
    trust: Trust
    rule: str  # a key of RULES


@dataclass(frozen=True, slots=True)
class RecogniseParams:
    """Settings of recognition."""

    confidence_min: float = 0.5
    """Smallest confidence of a verification code. Chosen: with texts, nearly all confidences are
    over .9 or under .1. A feed without texts needs 0.4 (every service message counts), or
    categories."""

    cache_templates: int = 32_768
    """Number of templates in each of the cache's two generations. Chosen: 0.4 kB per usual text, so
    a full cache has 26 MB, or 100 MB if every text has the maximum length."""

    def __post_init__(self) -> None:
        if not 0.0 < self.confidence_min <= 1.0:
            raise ValueError(f"confidence_min must lie in (0, 1], not {self.confidence_min}")
        if self.cache_templates < 1:
            raise ValueError(f"cache_templates must be at least 1, not {self.cache_templates}")


def recognise(
    registry: Registry,
    text: str,
    sender: str = "",
    signature: str = "",
    category: str = "",
    platform: str = "",
    template: str = "",
    confidence_min: float = 0.5,
) -> Verdict:
    r"""Recognise one message without a cache.

    The arguments are the fields of an event as the feed gives them. A missing field is "".

    >>> registry = Registry.load('[bank]\n"工商银行" = {ports = ["95588"]}')
    >>> verdict = recognise(registry, "【工商银行】动态码：194872，切勿泄露！", sender="95588")
    >>> verdict.otp, verdict.code_span, verdict.platform, verdict.trust.name
    (True, (10, 16), 'sig:工商银行', 'BANK')
    """
    looked = look(mask(excerpt(text)))
    weighed = _Weighed(looked, model().score(looked.folded, looked.cased))
    message = Message(text, sender, signature, category, platform, template)
    return _verdict(registry, message, weighed, confidence_min)


class Message(NamedTuple):
    """The fields of an event that recognition uses. A missing field is ""."""

    text: str = ""
    sender: str = ""
    signature: str = ""
    category: str = ""
    platform: str = ""
    template: str = ""


@dataclass
class _Weighed:
    """A text with masked digits, and its score. Texts that differ only in digits share one."""

    look: Look
    score: int

    @cached_property
    def reading(self) -> Reading:
        """The result of the rules for this text. Slow, so it is computed at most once."""
        return read(self.look)


def recognise_many(
    registry: Registry, messages: Sequence[Message], confidence_min: float = 0.5
) -> Iterator[Verdict]:
    """Yield the result of `recognise` for each message, in order. All texts are scored in one pass.

    Memory grows with the number of messages. Pass a few thousand messages per call.
    """
    masked = [mask(excerpt(each.text)) for each in messages]
    new = list(dict.fromkeys(masked))
    weighed: dict[str, _Weighed] = {}
    for part in glance.parts(new):
        seen = prescan_texts(new[part])
        scores = score_texts(seen).tolist()
        for at, text in enumerate(new[part]):
            weighed[text] = _Weighed(seen.look(at), scores[at])
    for message, text in zip(messages, masked, strict=True):
        yield _verdict(registry, message, weighed[text], confidence_min)


def _verdict(
    registry: Registry, message: Message, weighed: _Weighed, confidence_min: float
) -> Verdict:
    text, sender, signature, category, platform, template = message
    looked = weighed.look
    origin = registry.sender(sender)
    key, trust = _platform(registry, looked, excerpt(text), origin, signature, platform)
    rule = _textless(registry, origin, category, template, text=bool(text))
    person = origin.line is Line.PERSON and looked.signature is None
    told = looked, weighed.score, lambda _: weighed.reading
    found = None
    if rule == "category-other" and text and category != PERSONS:
        found = surely_named(*told, trusted=trust is not Trust.NONE, person=person)
    if rule and found is None:
        sure, code = RULES[rule].confidence, None
        if text and rule == "category-otp":
            code = weighed.reading.code
    else:
        reading = weighed.reading
        sure = found or confidence(*told, trusted=trust is not Trust.NONE, person=person)
        rule, code = name_rule(reading.rule, sure), reading.code
        if code is None and rule == "rescued":
            code = likely(looked)
    otp = sure >= confidence_min
    if otp and not key and tells_nobody(origin):
        named = _brand()(registry, looked, excerpt(text))
        key = named.key if named else ""
    key = key or key_of_sender(registry, origin)
    span = in_text(text, code) if otp and code else None
    return Verdict(otp, sure, span, key, trust, rule)


def _textless(
    registry: Registry, origin: Sender, category: str, template: str, *, text: bool
) -> str | None:
    """Return the rule that decides without reading a text, or None.

    Such rules use the category of the message or its template, or, without a text, the sender.
    """
    for told in (category, registry.templates.get(template, "")):
        if told == OTP_CATEGORY:
            return "category-otp"
        if told in OTHER_CATEGORIES:
            return "category-other"
    if text:
        return None
    if origin.line in (Line.PERSON, Line.ABSENT) or not origin.key:  # a blank sender names nobody
        return "sender-person"
    return "sender-codes" if names_codes(origin.key) else "sender-service"


def _platform(
    registry: Registry, looked: Look, seen: str, origin: Sender, signature: str, platform: str
) -> tuple[str, Trust]:
    """Return the platform's key and trust.

    The key comes from the signature, else from a registered id or port, else from another id or a
    host. The key is empty if only the sender can name the platform. A registered id comes from the
    gateway and is more credible than a number.
    """
    written = signature if signature and not is_note(mask(fold(signature))) else ""
    claim = name_key(written)
    if not claim and looked.signature:
        written = seen[slice(*looked.signature)]
        claim = name_key(written)
    told = registry.ids.get(platform)
    claimed = registry.signatures.get(claim) if claim else told
    vouched = told is not None and told == claimed
    if claim and not vouched and registry.speaks_of(claimed, origin):
        claimed, claim = None, ""
    trust = claimed.trust if claimed and vouched else registry.trust(claimed, origin)
    if claimed or claim:
        return f"{BRAND}{claimed.key}" if claimed else brand_key(registry, written), trust
    if origin.owners:
        return key_of_sender(registry, origin), trust
    if platform:
        return id_key(registry, platform), trust
    if looked.host:
        return host_key(registry, seen[slice(*looked.host)]), trust
    return "", trust


class _Names(Mapping[int, str]):
    """The platform keys by platform id. A key is looked up on demand, because few are needed.

    If several keys have the same id, the key of the first event is used.
    """

    def __init__(
        self,
        ids: NDArray[np.int64],
        otp: NDArray[np.bool_],
        own: Mapping[int, str],
        held: Sequence[Mapping[int, str]],
    ) -> None:
        self._ids = ids  # (n,) platform id of each event; the bits above 32 are `name_check`
        self._otp = otp
        self._own = own  # event index -> key
        self._held = held
        self._first: dict[int, int] | None = None

    def at(self, position: int) -> str:
        """Return the platform key of the event at an index."""
        if name := self._own.get(position):
            return name
        number = int(self._ids[position])
        for held in self._held:
            if name := held.get(number):
                return name
        return f"#{number & _ID}"

    @property
    def _places(self) -> dict[int, int]:
        if self._first is None:
            where = indices(self._otp)[::-1]
            ids = (self._ids[where] & _ID).tolist()
            self._first = dict(zip(ids, where.tolist(), strict=True))
        return self._first

    def __getitem__(self, id_: int) -> str:
        return self.at(self._places[id_])

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


# A cached answer is one integer, so that answers become columns without a loop:
# name check << 48 | platform id << 16 | confidence in hundredths << 8 | trust << 2
# | from-sender << 1 | otp.
# With "from-sender" the platform is that of the event's own sender.
_ID: Final = 0xFFFF_FFFF
_OTP: Final = 1
_FROM_SENDER: Final = 2
_TRUST: Final = 0xFC  # bits of the trust in an answer
_MISS: Final = -1
_LOOK: Final = -2  # in `_of_head`: texts that begin so must be read one by one

_OTHER_CATEGORY: Final = round(RULES["category-other"].confidence * 100) << 8
_FIELD_BYTES: Final = 256  # a longer sender, signature or id is not cached
_DIGIT: Final = re.compile("[0-9]")
_NUMBER_KEY: Final = re.compile("from:[0-9]+")
_OWNERS_MAX: Final = 4_096
"""Number of cached owners. Chosen: equal to the number of cached name keys. An owner takes about
300 bytes."""
_SENDERS_MAX: Final = 65_536  # chosen: more service numbers than one partition has per minute


_CHECKED_BATCHES: Final = 64
_CHECKED_ROWS: Final = 64
"""In one batch of 64, the texts of the first 64 events are compared with their categories. Chosen:
this takes under 10 µs per batch on average."""


def _brand() -> Callable[[Registry, Look, str], Brand | None]:
    """Import `brands.brand` on demand.

    Its patterns take a quarter of this module's import time and are needed for few texts.
    """
    from detectors.recognise.brands import brand  # noqa: PLC0415

    return brand


@lru_cache(4_096)
def _identity(key: str) -> int:
    """Return the platform id of a key, with the key's `name_check` in the bits above 32."""
    return name_check(key) << 32 | platform_id(key)


_Key = bytes | tuple[bytes, ...]

_UNMASKED: Final = [chr(one) for one in range(1, 128) if not chr(one).isdigit()]
_TAILS: Final = [first + second for first in _UNMASKED for second in _UNMASKED]
"""The last two bytes of a cache key encode the kind of the sender. Masking does not change these
bytes. There are 13,689 combinations. When half of them are in use, the cache is cleared."""

_FOLDED: Final = b"\0"
"""Last byte of the key of a text that was folded first. No other key ends with it."""


_ENDS: Final = [f"{tail}\0" for tail in _TAILS]
_TAIL_OCTETS: Final = np.frombuffer("".join(_TAILS).encode(), np.uint8).reshape(-1, SPARE)


class _Asked(NamedTuple):
    """The fields of one event. `kind` is the number of its sender's kind."""

    kind: int
    text: str
    signature: str
    category: str
    platform: str
    template: str


class _Looked(NamedTuple):
    """A parsed, masked text and its score. Texts that differ only in digits share one object."""

    look: Look
    score: int


_Begun = tuple[int, int, str | None]
"""Key of `_of_head`: the answer that the score alone gives (`decide_by_scores`), the kind of the
sender, and the name in brackets at the beginning of the text (`Glance.head`)."""


class _New(NamedTuple):
    """Columns of the texts of a batch that are not cached, scored in one pass."""

    keys: Sequence[_Key]
    kinds: Sequence[int]  # kinds of the senders
    seen: Glanced
    scores: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Mapping[_Key, int]) -> Iterator[_New]:
        """Score the texts of these keys. `keys` maps each key to the kind of its sender."""
        every, kinds = list(keys), list(keys.values())
        heads = [key if isinstance(key, bytes) else key[0] for key in every]
        for part in glance.parts(heads):
            seen = prescan_texts(_texts(heads[part]))
            yield cls(every[part], kinds[part], seen, score_texts(seen))

    def parse(self, at: int) -> _Looked:
        """Return one text, parsed and scored."""
        return _Looked(self.seen.look(at), int(self.scores[at]))


class _Owner(NamedTuple):
    """The platform of a message, by its sender, its fields and the name in its text."""

    key: str  # key of the platform; empty if only the sender names it
    answer: int  # cached answer for a code of this platform, with its ids and trust
    trusted: bool
    of_sender: bool  # True if only the sender names the platform
    hidden: bool  # True if the sender names no platform; perhaps the running text does
    person: bool  # True for a subscriber's number and no name in the text
    digits: bool  # the name in the text has digits, so messages of one template may differ


def _mask(text: str, kind: int) -> bytes:
    """Return a text's excerpt in UTF-8 with masked digits, followed by the sender's kind."""
    return f"{excerpt(text)}{_TAILS[kind]}".encode("utf-8", "surrogatepass").translate(MASK)


def _masked_column(texts: Strings, kinds: Sequence[int]) -> list[bytes]:
    """Return `_mask` for all events of a batch at once, in less than half the time."""
    if isinstance(texts, StringBuffer):
        return _masked_lying(texts, kinds)
    strings = list(texts)
    parts = [""] * (2 * len(strings))
    parts[::2] = strings
    parts[1::2] = [_ENDS[kind] for kind in kinds]
    joined = "".join(parts)
    if len(joined) <= len(strings) * READ_CHARS:
        column = joined.encode("utf-8", "surrogatepass").translate(MASK).split(b"\0")[:-1]
        if len(column) == len(strings):  # else a text contains NUL
            if max(map(len, column), default=0) > READ_CHARS:
                for row, text in enumerate(strings):
                    if len(text) > READ_CHARS:
                        column[row] = _mask(text, kinds[row])
            return column
    return [_mask(text, kind) for text, kind in zip(strings, kinds, strict=True)]


def _masked_lying(texts: StringBuffer, kinds: Sequence[int]) -> list[bytes]:
    octets = np.frombuffer(texts.buffer, np.uint8)
    masked = octets - np.uint8(ord("0"))  # changed in place from here on: it has a megabyte
    masked *= masked < 10  # the value of each digit; 0 for other bytes
    np.subtract(octets, masked, out=masked)
    tails = _TAIL_OCTETS[np.fromiter(kinds, np.int64, len(kinds))]
    masked[texts.stop], masked[texts.stop + 1] = tails[:, 0], tails[:, 1]
    column = StringBuffer(masked.tobytes(), texts.start, texts.stop + SPARE).pieces()
    for row in indices(texts.length > READ_CHARS).tolist():
        column[row] = _mask(texts[row], kinds[row])
    return column


def _pages(
    masked: Sequence[bytes], rows: Sequence[int], keys: Mapping[int, str]
) -> NDArray[np.uint32] | None:
    """Return the template number of each masked text from an unnamed sender, and 0 for all others.

    `rows` are the texts whose platform only the sender can name, and `keys` maps such a row to the
    platform key. A sender is unnamed if it is a number. Each masked text ends with the kind of its
    sender.
    """
    if not rows:
        return None
    page = np.zeros(len(masked), np.uint32)
    unnamed = [row for row in rows if len(masked[row]) > SPARE and _NUMBER_KEY.fullmatch(keys[row])]
    page[unnamed] = [zlib.crc32(masked[row]) or 1 for row in unnamed]
    return page


def _texts(heads: Sequence[bytes]) -> list[str]:
    """Decode the masked excerpts at the beginning of keys, all at once, in half the time."""
    joined = b"\0".join([head[:-SPARE] for head in heads]).decode("utf-8", "surrogatepass")
    texts = joined.split("\0")
    if len(texts) == len(heads):  # else a text contains NUL, or there is no text
        return texts
    return [head[:-SPARE].decode("utf-8", "surrogatepass") for head in heads]


def _make_query(batch: Batch, row: int, kind: int) -> _Asked:
    return _Asked(
        kind, batch.text[row], batch.signature[row], batch.category[row], batch.platform[row],
        batch.template[row],
    )  # fmt: skip


def _look(text: str) -> _Looked:
    """Parse and score a single text."""
    looked = look(mask(excerpt(text)))
    return _Looked(looked, model().score(looked.folded, looked.cased))


def _again(key: _Key, head: bytes) -> _Key:
    """Return a cache key whose text is replaced by `head`."""
    return (head, *key[1:]) if isinstance(key, tuple) else head


def _with(key: _Key, literal: bytes) -> _Key:
    """Return a cache key, extended by the name in the text as written, with its digits."""
    return (*key, literal) if isinstance(key, tuple) else (key, literal)


class _Remembered(dict[bytes, int]):
    """A cache of a function's results by key. Results of long keys are not cached."""

    def __init__(self, function: Callable[[bytes], int]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: bytes) -> int:
        value = self._function(key)
        if len(key) <= _FIELD_BYTES:
            self[key] = value
        return value


class MessageAnswer(NamedTuple):
    """The answer of `Recogniser.one` about one message."""

    otp: bool
    platform: str  # platform key; empty if the message is no code
    trust: Trust
    confidence: float  # 0..1, rounded to hundredths


TRUSTS: Final = tuple(Trust)


class Recogniser:
    """Recognises the messages of batches. Reads each template once and caches the answer.

    The cache has two generations. A used entry moves to the young generation. When the young
    generation is full, the old one is dropped. The cache never changes an answer, only its cost. It
    is bounded by twice `cache_templates` answers plus one batch, and by 65,536 senders.
    """

    def __init__(self, registry: Registry, params: RecogniseParams | None = None) -> None:
        self.registry = registry
        self.params = params or RecogniseParams()
        self.hits = 0  # events answered from the cache
        self.misses = 0  # events whose text was read
        # By gateway: texts that were compared with their category, and those that contradict it.
        self.checked: Counter[str] = Counter()
        self.contradicted: Counter[str] = Counter()
        self._batches = 0
        self._young: dict[_Key, int] = {}
        self._old: dict[_Key, int] = {}
        self._young_names: dict[int, str] = {}
        self._old_names: dict[int, str] = {}
        self._origins: list[Sender] = []  # a sender of each kind: line x owners x wording
        self._kinds: dict[object, int] = {}  # kind -> its number
        self._kind_of = _Remembered(self._kind)  # sender as written -> number of its kind
        self._kind_of_head: dict[str, int] = {}  # first digits of a long number -> the same
        self._from_of: dict[str, tuple[int, str]] = {}
        self._owners: dict[tuple[int, str, str, str], _Owner] = {}  # by kind and written names
        self._of_head: dict[
            _Begun, int
        ] = {}  # answers by beginning of the text; see `_decide_by_score`
        self._name_spans: dict[_Key, tuple[int, int]] = {}
        """Byte spans of names with digits. The name as written then belongs to the key."""
        self._other: str | None = None  # key of the last answer if another key has the same id

    @cached_property
    def _alone(self) -> tuple[int, int, int]:
        """Answers by the score alone, without a platform: index 1 for a code, -1 for no code."""
        code, other = (
            round(sure * 100) << 8 | (_OTP if sure >= self.params.confidence_min else 0)
            for sure in (model().sure_code, model().sure_other)
        )
        return _MISS, code, other

    def prepare(self) -> Iterator[None]:
        """Load the model and compile all patterns in small steps; this takes seconds in total.

        After that, no text has to wait for a pattern. Messages can be recognised before the first
        step and between steps. Then a text waits only for the patterns that it needs first.
        """
        model()
        yield
        yield from scripts.prepare()
        spelled.prepare()
        yield
        yield from spent.prepare()
        yield
        lures.prepare()
        yield
        glance.prepare()
        yield
        _brand()

    def one(
        self,
        text: str,
        sender: str = "",
        signature: str = "",
        category: str = "",
        platform: str = "",
        template: str = "",
    ) -> MessageAnswer:
        """Recognise one message. Use this where a message cannot wait for a batch.

        The answer is the same as with `columns`. A cached template takes about 5 µs.
        """
        self._make_room()
        kind = self._kind_of[sender.encode("utf-8", "surrogatepass")]
        masked = _mask(text, kind)
        key: _Key = masked
        templates = self.registry.templates
        if signature or category or platform or (template and templates):
            told = signature, category, platform, *((template,) if templates else ())
            key = (masked, *(each.encode("utf-8", "surrogatepass") for each in told))
        if category == PERSONS:
            answer = _OTHER_CATEGORY
            self.hits += 1
        elif (answer := self._young.get(key, _MISS)) < 0:
            asked = _Asked(kind, text, signature, category, platform, template)
            misses = self.misses
            answer = self._answer(key, asked)
            self.hits += misses == self.misses
        else:
            self.hits += 1
        other, self._other = self._other, None
        if not answer & _OTP:
            name = ""
        elif answer & _FROM_SENDER:
            name = self._from(sender)[1]
        else:
            held = answer >> 16
            name = other or self._young_names.get(held) or self._old_names.get(held) or ""
        return MessageAnswer(
            bool(answer & _OTP), name, TRUSTS[answer >> 2 & 7], (answer >> 8 & 0x7F) / 100
        )

    def columns(self, batch: Batch) -> Codes:
        """Recognise a batch. The answers are the same as those of `recognise` for each event."""
        self._make_room()
        kinds = list(map(self._kind_of.__getitem__, batch.sender.pieces()))
        masked = _masked_column(batch.text, kinds)
        keys = self._make_keys(batch, masked)
        answers = np.fromiter(map(self._young.get, keys, repeat(_MISS)), np.int64, len(batch))
        if batch.category.any():  # not cached: there are many texts of people
            other = map(PERSONS.encode().__eq__, batch.category.pieces())
            answers[np.fromiter(other, bool, len(batch))] = _OTHER_CATEGORY
        self._check_categories(batch)
        misses = self.misses
        own = self._answer_rows(batch, keys, kinds, answers)
        self.hits += len(batch) - (self.misses - misses)
        return self._make_codes(batch, masked, answers, own)

    def _make_keys(self, batch: Batch, masked: Sequence[bytes]) -> Sequence[_Key]:
        """Return the cache key of each event.

        Most feeds give only text and sender. A key of bytes is hashed twice as fast as a tuple.
        """
        told = [batch.signature, batch.category, batch.platform]
        if self.registry.templates:
            told.append(batch.template)
        if not any(column.any() for column in told):
            return masked
        return list(zip(masked, *(column.pieces() for column in told), strict=True))

    def _answer_rows(
        self,
        batch: Batch,
        keys: Sequence[_Key],
        kinds: Sequence[int],
        answers: NDArray[np.int64],
    ) -> dict[int, str]:
        """Fill in the answers of a batch that are missing.

        Returns the platform keys, by row, of platforms whose identity another platform has too.
        """
        unanswered = indices(answers < 0)
        if not len(unanswered):
            return {}
        own: dict[int, str] = {}
        rows = unanswered.tolist()
        few = [keys[row] for row in rows]
        young, old = self._young, self._old
        unknown = {
            key: kinds[row]
            for row, key in zip(rows, few, strict=True)
            if key not in old and key not in self._name_spans
        }
        left: dict[_Key, tuple[_New, int]] = {}
        for new in _New.of(unknown):
            left |= self._at_once(new)
        known = list(map(young.get, few, repeat(_MISS)))
        for at in [at for at, answer in enumerate(known) if answer < 0]:
            row, key = rows[at], few[at]
            if (answer := young.get(key, _MISS)) < 0:  # else answered before in this batch
                asked, place = _make_query(batch, row, kinds[row]), left.get(key)
                if place is None or key in self._name_spans:
                    answer = self._answer(key, asked)
                else:
                    new, at_new = place
                    answer = self._first(key, asked, new.parse(at_new))
                if self._other is not None:
                    own[row], self._other = self._other, None
            known[at] = answer
        answers[unanswered] = known
        return own

    def _make_codes(
        self,
        batch: Batch,
        masked: Sequence[bytes],
        answers: NDArray[np.int64],
        own: dict[int, str],
    ) -> Codes:
        """Return the columns of complete answers."""
        otp = (answers & _OTP).astype(np.bool_)
        ids = answers >> 16
        from_sender = indices(answers & _FROM_SENDER)
        if len(from_sender):
            found = [self._from(batch.sender[row]) for row in from_sender.tolist()]
            ids[from_sender] = [id_ for id_, _ in found]
            keys = (key for _, key in found)
            own.update(zip(from_sender.tolist(), keys, strict=True))
        names = _Names(ids, otp, own, (self._young_names, self._old_names))
        return Codes(
            otp=otp,
            platform=ids.astype(np.uint32),
            trust=(answers >> 2 & 7).astype(np.uint8),
            confidence=(answers >> 8 & 0x7F).astype(np.float32) / np.float32(100),
            names=names,
            check=(ids >> 32).astype(np.uint16),
            named=names.at,
            page=_pages(masked, from_sender.tolist(), own),
        )

    def _check_categories(self, batch: Batch) -> None:
        """Count texts that contradict their category, in a sample of the batches.

        The counts change no answer. A gateway that labels codes as marketing would hide a flood, so
        operators must be able to see this.
        """
        self._batches += 1
        if self._batches % _CHECKED_BATCHES != 1 or not batch.category.any():
            return
        rows = []
        for row in range(min(len(batch), _CHECKED_ROWS)):
            told = batch.category[row]
            if batch.text[row] and (told == OTP_CATEGORY or told in OTHER_CATEGORIES):
                rows.append(row)
        seen = prescan_texts([mask(excerpt(batch.text[row])) for row in rows])
        scores = score_texts(seen).tolist()
        for row, folded, score in zip(rows, seen.texts(), scores, strict=True):
            sure = model().sure(score)
            code = sure is True and "0" in folded
            other = sure is False
            gateway = batch.gateway[row]
            self.checked[gateway] += 1
            self.contradicted[gateway] += other if batch.category[row] == OTP_CATEGORY else code

    def _make_room(self) -> None:
        """Drop the old generation if the young one is full.

        Call this only between batches, so that all answers and names of a batch stay in the cache.
        """
        if max(len(self._young), len(self._young_names)) > self.params.cache_templates:
            self._old, self._young = self._young, {}
            self._old_names, self._young_names = self._young_names, {}
            self._of_head = {}
        if len(self._origins) > len(_TAILS) // 2:
            self._young, self._old = {}, {}
            self._origins, self._kinds, self._owners, self._of_head = [], {}, {}, {}
            self._name_spans = {}
            self._kind_of.clear()
            self._kind_of_head = {}
        if len(self._kind_of) > _SENDERS_MAX:
            self._kind_of.clear()
            self._kind_of_head = {}
        if len(self._from_of) > _SENDERS_MAX:
            self._from_of = {}

    def _kind(self, octets: bytes) -> int:
        """Return the number of a sender's kind: all facts about it except its own key.

        The many extensions of one platform share a kind, and therefore share answers.
        """
        sender = octets.decode("utf-8", "surrogatepass")
        head = self.registry.head(sender)
        kind = self._kind_of_head.get(head) if head else None
        if kind is None:
            origin = self.registry.sender(sender)
            wording = names_codes(origin.key), not origin.key, tells_nobody(origin)
            told = origin.line, origin.owners, wording
            kind = self._kinds.setdefault(told, len(self._origins))
            if len(self._kinds) > len(self._origins):
                self._origins.append(origin)
            if head:
                self._kind_of_head[head] = kind
        return kind

    def _from(self, sender: str) -> tuple[int, str]:
        """Return id and key of a platform, if only the sender of a message says who it is."""
        if sender not in self._from_of:
            key = key_of_sender(self.registry, self.registry.sender(sender))
            self._from_of[sender] = _identity(key), key
        return self._from_of[sender]

    def _answer(self, key: _Key, asked: _Asked) -> int:
        """Return the answer for an event whose key has no answer in the young generation."""
        span = self._name_spans.get(key)
        if span is not None:
            literal = excerpt(asked.text).encode("utf-8", "surrogatepass")[slice(*span)]
            key = _with(key, literal)
        if (known := self._get_cached(key)) != _MISS:
            return known
        looked = _look(asked.text)
        if span is None:
            return self._first(key, asked, looked)
        owner = self._owner(asked, excerpt(asked.text), looked.look)
        return self._remember(key, *self._read(asked, looked, owner)[:2])

    def _at_once(self, new: _New) -> dict[_Key, tuple[_New, int]]:
        """Cache the answers for new texts that the score alone decides, if their owner is known.

        The answers are the same as those of `_first`, but the texts are not parsed one by one.
        Returns the places of the remaining texts by key.
        """
        answers = [_MISS] * len(new.keys)
        if (told := new.seen.glance) is not None and isinstance(new.keys[0], bytes):
            codes = decide_by_scores(new.seen, new.scores).tolist()
            spans = zip(new.seen.masked, told.head.tolist(), strict=True)
            heads = [text[:end] if end >= 0 else None for text, end in spans]
            begun = list(zip(codes, new.kinds, heads, strict=True))
            answers = list(map(self._of_head.get, begun, repeat(_MISS)))
            for at in [at for at, code in enumerate(codes) if code and answers[at] == _MISS]:
                answers[at] = self._decide_by_score(new, at, begun[at])
        known = {key: answer for key, answer in zip(new.keys, answers, strict=True) if answer >= 0}
        self._young.update(known)
        self.misses += len(known)
        return {new.keys[at]: (new, at) for at, answer in enumerate(answers) if answer < 0}

    def _decide_by_score(self, new: _New, at: int, begun: _Begun) -> int:
        """Return the answer for a text that the score alone decides, or negative if it does not.

        The answer is cached for all texts that begin alike, if nothing else names their owner.
        """
        told, masked = new.seen.glance, new.seen.masked[at]
        assert told is not None, "else nothing is decided"
        folded = told.text(at)
        code, kind, head = begun
        span = signature_span(folded)
        name = masked[span[0] : span[1]] if span else ""
        owner = self._owners.get((kind, name, "", ""))
        if owner is None or not masked:
            return _MISS
        answer, platform = self._alone[code], ""
        otp = answer & _OTP
        if otp:
            answer, platform = answer | owner.answer, owner.key
        # Digits of a name are masked here. Names that differ only in digits are different owners.
        if owner.trusted or "0" in name or (otp and (owner.of_sender or owner.person)):
            answer = _LOOK
        elif not self._call(answer, platform):  # another key has the same id: `_first` handles this
            self._other = None
            return _MISS
        if head == "" or (head and is_plain_head(folded[: len(head)])):
            if len(self._of_head) >= _OWNERS_MAX:
                self._of_head.clear()
            self._of_head[begun] = answer
        return answer

    def _first(self, key: _Key, asked: _Asked, looked: _Looked) -> int:
        """Return the answer for an event whose template is not cached."""
        seen, found = excerpt(asked.text), looked.look
        native = found.may & glance.CLOSELY and has_native_digits(seen)
        if native:  # native digits were not masked, so messages of one template have different keys
            key = _again(key, _mask(mask(fold(seen)), asked.kind) + _FOLDED)
            if (known := self._get_cached(key)) != _MISS:
                return known
        owner = self._owner(asked, seen, found)
        answer, platform, name = self._read(asked, looked, owner)
        if owner.digits:
            name = found.signature or found.host
        if native and owner.hidden and answer & _OTP:
            # Capitals may name the platform and are not in the folded key: do not cache.
            self._call(answer, platform)
            return answer
        if name is None:
            return self._remember(key, answer, platform)
        if native:  # the name's digits have other places in the folded text: do not cache
            self._call(answer, platform)
            return answer
        start, end = (len(seen[:at].encode("utf-8", "surrogatepass")) for at in name)
        if len(self._name_spans) >= _OWNERS_MAX:
            self._name_spans.clear()
        if isinstance(key, bytes) or all(len(part) <= _FIELD_BYTES for part in key[1:]):
            self._name_spans[key] = start, end
        literal = seen.encode("utf-8", "surrogatepass")[start:end]
        return self._remember(_with(key, literal), answer, platform)

    def _get_cached(self, key: _Key) -> int:
        """Return a cached answer and move it to the young generation. _MISS if there is none."""
        known = self._young.get(key, _MISS)
        if known == _MISS and (known := self._old.get(key, _MISS)) != _MISS:
            self._remember(key, known, self._old_names.get(known >> 16, ""))
        return known

    def _remember(self, key: _Key, answer: int, name: str) -> int:
        """Add an answer to the young generation, unless its key is too long.

        An answer is not cached either if another platform has the same identity (47 bits).
        """
        if not self._call(answer, name):
            return answer
        if isinstance(key, bytes) or all(len(part) <= _FIELD_BYTES for part in key[1:]):
            self._young[key] = answer
        return answer

    def _call(self, answer: int, name: str) -> bool:
        """Store the platform key of an answer's identity. False if the identity has another key."""
        held = self._young_names.get(answer >> 16)
        if held == name:
            return True
        held = held or self._old_names.get(answer >> 16)
        if held and held != name:
            self._other = name
            return False
        self._young_names[answer >> 16] = name
        return True

    def _owner(self, asked: _Asked, seen: str, looked: Look) -> _Owner:
        """Return the owner of a message. Owners are cached: few new texts have a new owner."""
        written = seen[slice(*looked.signature)] if looked.signature else ""
        told = asked.kind, written, asked.signature, asked.platform
        alone = written or not looked.host
        if alone and (owner := self._owners.get(told)):
            return owner
        owner = self._owner_of(asked, seen, looked)
        if alone and max(len(asked.signature), len(asked.platform)) <= _FIELD_BYTES:
            if len(self._owners) >= _OWNERS_MAX:
                self._owners.clear()
            self._owners[told] = owner
        return owner

    def _owner_of(self, asked: _Asked, seen: str, looked: Look) -> _Owner:
        origin = self._origins[asked.kind]
        key, trust = _platform(self.registry, looked, seen, origin, asked.signature, asked.platform)
        name = looked.signature or looked.host
        written = seen[slice(*name)] if name else "-"
        return _Owner(
            key,
            _identity(key) << 16 | trust << 2 | _OTP,
            trusted=trust is not Trust.NONE,
            of_sender=not key,
            hidden=tells_nobody(origin),
            person=origin.line is Line.PERSON and looked.signature is None,
            digits=not written.isalpha() and _DIGIT.search(fold(written)) is not None,
        )

    def _read(
        self, asked: _Asked, looked: _Looked, owner: _Owner
    ) -> tuple[int, str, tuple[int, int] | None]:
        """Read a text as far as necessary.

        Returns the answer, the platform's key, and the span of a name with digits in the text.
        """
        self.misses += 1
        rule = None
        if asked.category or asked.template or not asked.text:
            origin = self._origins[asked.kind]
            rule = _textless(
                self.registry, origin, asked.category, asked.template, text=bool(asked.text)
            )
        weighed = looked.look, looked.score, read
        found = None
        if rule == "category-other" and asked.text and asked.category != PERSONS:
            found = surely_named(*weighed, trusted=owner.trusted, person=owner.person)
        if rule and found is None:
            sure = RULES[rule].confidence
        else:
            sure = found or confidence(*weighed, trusted=owner.trusted, person=owner.person)
        answer = round(sure * 100) << 8
        if sure < self.params.confidence_min:
            return answer, "", None
        if not owner.of_sender:
            return owner.answer | answer, owner.key, None
        seen = excerpt(asked.text)
        told = _brand()(self.registry, looked.look, seen) if owner.hidden else None
        if told is None or not told.key:
            span = told.span if told else None
            return owner.answer & _TRUST | _OTP | answer | _FROM_SENDER, "", span
        answer |= _identity(told.key) << 16 | owner.answer & _TRUST | _OTP
        return answer, told.key, told.span
