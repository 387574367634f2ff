"""Is this message a verification code, where is the code, who sent it, how sure is the answer.

`recognise` says it for one message, exactly. `Recogniser` says the same for the columns of a batch
and remembers what it has read: the answer depends on nothing but the masked text, the digits inside
the sender's name, and the other fields of the event, so templates are read once.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import repeat
from typing import Final, NamedTuple

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
    glanced,
    in_text,
    likely,
    look,
    names_codes,
    read,
)
from detectors.recognise.registry import Line, Registry, Sender
from detectors.recognise.rules import RULES
from detectors.recognise.signature import is_note, is_plain_head, signature_span
from detectors.recognise.weigh import confidence, decided, model, named, scored

OTP_CATEGORY: Final = "otp"
OTHER_CATEGORIES: Final = frozenset({"txn", "notice", "marketing", "p2p"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of `recognise` about one message."""

    otp: bool  # confidence reaches the least that counts
    confidence: float  # 0..1 that this is a verification code
    code_span: tuple[int, int] | None  # of the code in the text given, for an otp that shows one
    platform: str  # key: `sig:`, `from:` or `id:`
    trust: Trust
    rule: str  # of RULES


@dataclass(frozen=True, slots=True)
class RecogniseParams:
    """Settings of recognition."""

    confidence_min: float = 0.5
    """The least confidence that counts as a code. Chosen: with texts nearly all verdicts lie over
    .9 or under .1; a feed without texts needs 0.4 (every service message counts) or categories."""

    cache_templates: int = 32_768
    """Templates in each of the two generations of the cache. Chosen: 0.4 kB each for usual texts,
    26 MB in all when full, 100 MB if every one is as long as can be."""

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
    r"""Recognise one message, exactly and without a cache.

    Arguments are the fields of an event as the feed gives them, empty where it gives nothing.

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
    """The fields of an event that tell whether it is a code, empty where the feed gives nothing."""

    text: str = ""
    sender: str = ""
    signature: str = ""
    category: str = ""
    platform: str = ""
    template: str = ""


@dataclass
class _Weighed:
    """A text with its digits masked, as it was weighed: all that differ in them alone share it."""

    look: Look
    score: int

    @cached_property
    def reading(self) -> Reading:
        """What the rules make of it; slow, and read once."""
        return read(self.look)


def recognise_many(
    registry: Registry, messages: Sequence[Message], confidence_min: float = 0.5
) -> Iterator[Verdict]:
    """Yield what `recognise` returns for each message, in order; texts are weighed in one pass.

    Memory grows with the number of messages: give some thousands at a time.
    """
    masked = [mask(excerpt(each.text)) for each in messages]
    new = list(dict.fromkeys(masked))
    weighed: dict[str, _Weighed] = {}
    for part in glance.parts(new):
        seen = glanced(new[part])
        scores = scored(seen).tolist()
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
    if rule:
        sure, code = RULES[rule].confidence, None
        if text and rule == "category-otp":
            code = weighed.reading.code
    else:
        reading = weighed.reading
        sure = confidence(
            looked,
            weighed.score,
            lambda _: reading,
            trusted=trust is not Trust.NONE,
            person=origin.line is Line.PERSON and looked.signature is None,
        )
        rule, code = named(reading.rule, sure), reading.code
        if code is None and rule == "rescued":
            code = likely(looked)
    otp = sure >= confidence_min
    if otp and not key and tells_nobody(origin):
        key = _brand()(registry, looked) or ""
    key = key or key_of_sender(registry, origin)
    span = in_text(text, code) if otp and code else None
    return Verdict(otp, sure, span, key, trust, rule)


def _textless(
    registry: Registry, origin: Sender, category: str, template: str, *, text: bool
) -> str | None:
    """The rule that decides before any text: the category, the template's, the sender's name."""
    for told in (category, registry.templates.get(template, "")):
        if told == OTP_CATEGORY:
            return "category-otp"
        if told in OTHER_CATEGORIES:
            return "category-other"
    if text:
        return None
    if origin.line in (Line.PERSON, Line.ABSENT) or not origin.key:  # a blank one is nobody's
        return "sender-person"
    return "sender-codes" if names_codes(origin.key) else "sender-service"


def _platform(
    registry: Registry, looked: Look, seen: str, origin: Sender, signature: str, platform: str
) -> tuple[str, Trust]:
    """The platform's key and trust: signature, else registered id or port, else id, host.

    The key is empty where only the sender is left to name the platform. An id that the registry
    knows is the gateway's word and stands above what a number says.
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
    """The keys behind these ids, looked up when asked for: nearly all are known already.

    Of several keys of one id that of the first event.
    """

    def __init__(
        self,
        ids: NDArray[np.int64],
        otp: NDArray[np.bool_],
        own: Mapping[int, str],
        held: Sequence[Mapping[int, str]],
    ) -> None:
        self._ids = ids  # of each event: id, and above it `name_check`
        self._otp = otp
        self._own = own  # by position
        self._held = held
        self._first: dict[int, int] | None = None

    def at(self, position: int) -> str:
        """Of one event."""
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


# An answer kept in memory is one integer, so that answers become columns without a loop:
# name check << 48 | platform id << 16 | confidence in hundredths << 8 | trust << 2
# | from-sender << 1 | otp.
# "From-sender" leaves the platform to the event's own sender. A negative one tells what is missing.
_ID: Final = 0xFFFF_FFFF
_OTP: Final = 1
_FROM_SENDER: Final = 2
_TRUST: Final = 0xFC  # the bits of an answer that hold it
_MISS: Final = -1
_NAME: Final = -2  # and below: -2 - (start << 16 | end), the bytes of a name that holds digits

_LOOK: Final = -2  # of what texts begin with: each takes a look

_OTHER_CATEGORY: Final = round(RULES["category-other"].confidence * 100) << 8
_OTHER_CATEGORIES: Final = frozenset(category.encode() for category in OTHER_CATEGORIES)
_FIELD_BYTES: Final = 256  # a sender, signature or id longer than that is not worth remembering
_DIGIT: Final = re.compile("[0-9]")
_NUMBER_KEY: Final = re.compile("from:[0-9]+")
_OWNERS_MAX: Final = 4_096
"""Chosen: as many names as the keys of names that are kept; an owner takes some 300 bytes."""
_SENDERS_MAX: Final = 65_536  # chosen: more service numbers than a partition sees in a minute

_CHECKED_BATCHES: Final = 64
_CHECKED_ROWS: Final = 64
"""Of one batch in 64 the first 64 events are checked against their category. Chosen: under 10 µs a
batch on average."""


def _brand() -> Callable[[Registry, Look], str | None]:
    """Give `brands.brand`: its patterns are a quarter of this module's import, for few texts."""
    from detectors.recognise.brands import brand  # noqa: PLC0415

    return brand


@lru_cache(4_096)
def _identity(key: str) -> int:
    """The platform id of a key, and its check above that."""
    return name_check(key) << 32 | platform_id(key)


_Key = bytes | tuple[bytes, ...]

_UNMASKED: Final = [chr(one) for one in range(1, 128) if not chr(one).isdigit()]
_TAILS: Final = [first + second for first in _UNMASKED for second in _UNMASKED]
"""The end of a key tells the kind of its sender: two bytes that masking leaves as they are. There
are 13,689; when half are in use all is forgotten."""

_FOLDED: Final = b"\0"
"""Behind the key of a text that was folded first: no other key ends so."""


_ENDS: Final = [f"{tail}\0" for tail in _TAILS]
_TAIL_OCTETS: Final = np.frombuffer("".join(_TAILS).encode(), np.uint8).reshape(-1, SPARE)


class _Asked(NamedTuple):
    """One event as it is asked about; `kind` is the number of the kind of its sender."""

    kind: int
    text: str
    signature: str
    category: str
    platform: str
    template: str


class _Looked(NamedTuple):
    """A text as it was looked at, its digits masked: all that differ in them alone share it."""

    look: Look
    score: int


_Begun = tuple[int, int, str | None]
"""A score's own answer (`decided`), the kind of the sender, and the name in brackets that a text
begins with (`Glance.head`)."""


class _New(NamedTuple):
    """New texts of a batch, weighed in one pass: columns."""

    keys: Sequence[_Key]
    kinds: Sequence[int]  # of their senders
    seen: Glanced
    scores: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Mapping[_Key, int]) -> Iterator[_New]:
        """Weigh the texts of these keys, which have the kinds of their senders beside them."""
        every, kinds = list(keys), list(keys.values())
        heads = [key if isinstance(key, bytes) else key[0] for key in every]
        for part in glance.parts(heads):
            seen = glanced(_texts(heads[part]))
            yield cls(every[part], kinds[part], seen, scored(seen))

    def looked(self, at: int) -> _Looked:
        """A look at one."""
        return _Looked(self.seen.look(at), int(self.scores[at]))


class _Owner(NamedTuple):
    """The owner of a message, as far as its sender, its fields and the name in its text tell."""

    key: str  # of the platform; empty if only the sender names it
    answer: int  # with its ids and trust, of a code
    trusted: bool
    of_sender: bool  # nothing but the sender tells it
    hidden: bool  # nor does the sender tell it: the text may
    person: bool  # a subscriber's number, without a name in the text
    digits: bool  # the name in the text has some: messages of one template may differ in them


def _masked(text: str, kind: int) -> bytes:
    """The excerpt of a text in UTF-8 with its digits masked, and the kind behind it."""
    return f"{excerpt(text)}{_TAILS[kind]}".encode("utf-8", "surrogatepass").translate(MASK)


def _masked_column(texts: Strings, kinds: Sequence[int]) -> list[bytes]:
    """`_masked` of each event, all at once: in less than half the time."""
    if isinstance(texts, StringBuffer):
        return _masked_lying(texts, kinds)
    strings = list(texts)
    parts = [""] * (2 * len(strings))
    parts[::2] = strings
    parts[1::2] = [_ENDS[kind] for kind in kinds]
    joined = "".join(parts)
    if len(joined) <= len(strings) * READ_CHARS:
        column = joined.encode("utf-8", "surrogatepass").translate(MASK).split(b"\0")[:-1]
        if len(column) == len(strings):  # else a text holds a NUL
            if max(map(len, column), default=0) > READ_CHARS:
                for row, text in enumerate(strings):
                    if len(text) > READ_CHARS:
                        column[row] = _masked(text, kinds[row])
            return column
    return [_masked(text, kind) for text, kind in zip(strings, kinds, strict=True)]


def _masked_lying(texts: StringBuffer, kinds: Sequence[int]) -> list[bytes]:
    octets = np.frombuffer(texts.buffer, np.uint8)
    masked = octets - np.uint8(ord("0"))  # in place from here on: it is a megabyte
    masked *= masked < 10  # of digits, how much they are over 0
    np.subtract(octets, masked, out=masked)
    tails = _TAIL_OCTETS[np.fromiter(kinds, np.int64, len(kinds))]
    masked[texts.stop], masked[texts.stop + 1] = tails[:, 0], tails[:, 1]
    column = StringBuffer(masked.tobytes(), texts.start, texts.stop + SPARE).pieces()
    for row in indices(texts.length > READ_CHARS).tolist():
        column[row] = _masked(texts[row], kinds[row])
    return column


def _pages(
    masked: Sequence[bytes], rows: Sequence[int], keys: Mapping[int, str]
) -> NDArray[np.uint32] | None:
    """Return for each masked text the number of its template; 0 of all but the unnamed ones.

    `rows` are the texts that nothing but their sender names, by the keys beside them. A text counts
    as unnamed if its sender is a number. The kind of the sender stands behind each text.
    """
    if not rows:
        return None
    page = np.zeros(len(masked), np.uint32)
    unnamed = [row for row in rows if len(masked[row]) > SPARE and _NUMBER_KEY.fullmatch(keys[row])]
    page[unnamed] = [zlib.crc32(masked[row]) or 1 for row in unnamed]
    return page


def _texts(heads: Sequence[bytes]) -> list[str]:
    """The masked excerpts that keys begin with, all at once: in half the time."""
    joined = b"\0".join([head[:-SPARE] for head in heads]).decode("utf-8", "surrogatepass")
    texts = joined.split("\0")
    if len(texts) == len(heads):  # else a text holds a NUL, or there is none
        return texts
    return [head[:-SPARE].decode("utf-8", "surrogatepass") for head in heads]


def _asked(batch: Batch, row: int, kind: int) -> _Asked:
    return _Asked(
        kind, batch.text[row], batch.signature[row], batch.category[row], batch.platform[row],
        batch.template[row],
    )  # fmt: skip


def _look(text: str) -> _Looked:
    """A look at one text by itself."""
    looked = look(mask(excerpt(text)))
    return _Looked(looked, model().score(looked.folded, looked.cased))


def _again(key: _Key, head: bytes) -> _Key:
    """A key with another text."""
    return (head, *key[1:]) if isinstance(key, tuple) else head


def _with(key: _Key, literal: bytes) -> _Key:
    """A key to which the digits of a name belong."""
    return (*key, literal) if isinstance(key, tuple) else (key, literal)


class _Remembered(dict[bytes, int]):
    """A function's answers by key, asked once; for long keys, each time."""

    def __init__(self, function: Callable[[bytes], int]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: bytes) -> int:
        value = self._function(key)
        if len(key) <= _FIELD_BYTES:
            self[key] = value
        return value


class MessageAnswer(NamedTuple):
    """The answer of a recogniser about one message."""

    otp: bool
    platform: str  # its key; empty where the message is no code
    trust: Trust
    confidence: float  # 0..1, in hundredths


TRUSTS: Final = tuple(Trust)


class Recogniser:
    """Recognises batches; reads each template once and remembers the answer.

    The memory has two generations: what is asked for moves to the young one, and when that is full
    the old one is dropped. It changes no answer, only what an answer costs. Bounds: twice
    `cache_templates` answers and one batch; 65,536 senders.
    """

    def __init__(self, registry: Registry, params: RecogniseParams | None = None) -> None:
        self.registry = registry
        self.params = params or RecogniseParams()
        self.hits = 0  # events answered from memory
        self.misses = 0  # events read in full
        self.checked = 0  # texts with a category that were looked at beside it
        self.contradicted = 0  # of these, those whose text surely says otherwise
        self._batches = 0
        self._young: dict[_Key, int] = {}
        self._old: dict[_Key, int] = {}
        self._young_names: dict[int, str] = {}
        self._old_names: dict[int, str] = {}
        self._origins: list[Sender] = []  # the kinds of sender there are: line x owners x wording
        self._kinds: dict[object, int] = {}  # the number of each
        self._kind_of = _Remembered(self._kind)  # of a sender as written
        self._kind_of_head: dict[str, int] = {}  # first digits of a long number -> the same
        self._from_of: dict[str, tuple[int, str]] = {}
        self._owners: dict[tuple[int, str, str, str], _Owner] = {}  # by kind, and names as written
        self._of_head: dict[_Begun, int] = {}  # answers of texts that begin so; see `_decided`
        self._other: str | None = None  # the key of the answer just given, if another has its ids

    @cached_property
    def _alone(self) -> tuple[int, int, int]:
        """The answer of a score alone, but for the platform: at 1 of a code, at -1 of none."""
        code, other = (
            round(sure * 100) << 8 | (_OTP if sure >= self.params.confidence_min else 0)
            for sure in (model().sure_code, model().sure_other)
        )
        return _MISS, code, other

    def prepare(self) -> Iterator[None]:
        """Load the model and compile all patterns, of seconds in all, one small step at a time.

        Then no text has to wait for a pattern. Between two steps texts may be read, as before the
        first: each waits for those patterns alone that it is the first to need.
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
        """Answer for one message what `columns` answers for many; for who cannot wait for a batch.

        A template that is remembered costs some 5 µs.
        """
        self._make_room()
        kind = self._kind_of[sender.encode("utf-8", "surrogatepass")]
        masked = _masked(text, kind)
        key: _Key = masked
        templates = self.registry.templates
        if signature or category or platform or (template and templates):
            told = signature, category, platform, *((template,) if templates else ())
            key = (masked, *(each.encode("utf-8", "surrogatepass") for each in told))
        if category in OTHER_CATEGORIES:
            answer = _OTHER_CATEGORY
            self.hits += 1
        elif (answer := self._young.get(key, _MISS)) < 0:
            asked = _Asked(kind, text, signature, category, platform, template)
            misses = self.misses
            answer = self._answer(key, answer, asked)
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
        """The answers for a batch: those that `recognise` gives for each event."""
        count = len(batch)
        self._make_room()
        kinds = list(map(self._kind_of.__getitem__, batch.sender.pieces()))
        told = [batch.signature, batch.category, batch.platform]
        if self.registry.templates:
            told.append(batch.template)
        # Most feeds tell no more than text and sender: a text alone is hashed twice as fast.
        masked = _masked_column(batch.text, kinds)
        keys: Sequence[_Key] = masked
        if any(column.any() for column in told):
            keys = list(zip(masked, *(column.pieces() for column in told), strict=True))
        answers = np.fromiter(map(self._young.get, keys, repeat(_MISS)), np.int64, count)
        if batch.category.any():  # a thousand people's messages are not worth remembering
            other = map(_OTHER_CATEGORIES.__contains__, batch.category.pieces())
            answers[np.fromiter(other, bool, count)] = _OTHER_CATEGORY
        self._check_categories(batch)
        misses = self.misses
        own: dict[int, str] = {}
        unanswered = indices(answers < 0)
        if len(unanswered):
            rows = unanswered.tolist()
            few = [keys[row] for row in rows]
            young, old = self._young, self._old
            known = answers[unanswered].tolist()
            unknown = {
                key: kinds[row]
                for row, key, answer in zip(rows, few, known, strict=True)
                if answer == _MISS and key not in old  # else known, but for a name's digits
            }
            left: dict[_Key, tuple[_New, int]] = {}
            for new in _New.of(unknown):
                left |= self._at_once(new)
            known = list(map(young.get, few, repeat(_MISS)))
            for at in [at for at, answer in enumerate(known) if answer < 0]:
                row, key = rows[at], few[at]
                if (answer := young.get(key, _MISS)) < 0:  # else it came before in this batch
                    asked, place = _asked(batch, row, kinds[row]), left.get(key)
                    if place is None or answer != _MISS:
                        answer = self._answer(key, answer, asked)
                    else:
                        new, at_new = place
                        answer = self._first(key, asked, new.looked(at_new))
                    if self._other is not None:
                        own[row], self._other = self._other, None
                known[at] = answer
            answers[unanswered] = known
        self.hits += count - (self.misses - misses)

        otp = (answers & _OTP).astype(np.bool_)
        ids = answers >> 16
        from_sender = indices(answers & _FROM_SENDER)
        if len(from_sender):
            found = [self._from(batch.sender[row]) for row in from_sender.tolist()]
            ids[from_sender] = [id_ for id_, _ in found]
            keys_ = (key for _, key in found)
            own.update(zip(from_sender.tolist(), keys_, strict=True))
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
        """Counts texts that contradict their category, in a few of one batch in many.

        It decides nothing: a gateway that calls codes marketing would hide a flood, and somebody
        has to see it.
        """
        self._batches += 1
        if self._batches % _CHECKED_BATCHES != 1 or not batch.category.any():
            return
        rows = []
        for row in range(min(len(batch), _CHECKED_ROWS)):
            told = batch.category[row]
            if batch.text[row] and (told == OTP_CATEGORY or told in OTHER_CATEGORIES):
                rows.append(row)
        seen = glanced([mask(excerpt(batch.text[row])) for row in rows])
        scores = scored(seen).tolist()
        for row, folded, score in zip(rows, seen.texts(), scores, strict=True):
            sure = model().sure(score)
            code = sure is True and "0" in folded
            other = sure is False
            self.checked += 1
            self.contradicted += other if batch.category[row] == OTP_CATEGORY else code

    def _make_room(self) -> None:
        """Drops the old generation if the young one is full.

        Between batches, so that all answers and names of the batch in hand are there.
        """
        if max(len(self._young), len(self._young_names)) > self.params.cache_templates:
            self._old, self._young = self._young, {}
            self._old_names, self._young_names = self._young_names, {}
            self._of_head = {}
        if len(self._origins) > len(_TAILS) // 2:
            self._young, self._old = {}, {}
            self._origins, self._kinds, self._owners, self._of_head = [], {}, {}, {}
            self._kind_of.clear()
            self._kind_of_head = {}
        if len(self._kind_of) > _SENDERS_MAX:
            self._kind_of.clear()
            self._kind_of_head = {}
        if len(self._from_of) > _SENDERS_MAX:
            self._from_of = {}

    def _kind(self, octets: bytes) -> int:
        """The kind of a sender: all that it tells but itself.

        A platform's thousand extensions share a kind, and so an answer.
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
        """Id and check, and key, of a message that nothing but its sender names."""
        if sender not in self._from_of:
            key = key_of_sender(self.registry, self.registry.sender(sender))
            self._from_of[sender] = _identity(key), key
        return self._from_of[sender]

    def _answer(self, key: _Key, known: int, asked: _Asked) -> int:
        """The answer for an event that the young generation does not answer by its key alone."""
        if known == _MISS and (known := self._remembered(key)) == _MISS:
            return self._first(key, asked, _look(asked.text))
        if known > _NAME:
            return known
        start, end = divmod(_NAME - known, 1 << 16)
        seen = excerpt(asked.text)
        key = _with(key, seen.encode("utf-8", "surrogatepass")[start:end])
        if (known := self._remembered(key)) != _MISS:
            return known
        looked = _look(asked.text)
        owner = self._owner(asked, seen, looked.look)
        return self._remember(key, *self._read(asked, looked, owner))

    def _at_once(self, new: _New) -> dict[_Key, tuple[_New, int]]:
        """Remember the answers for those new texts that a score decides, of owners that are known.

        As `_first` has them, without a look at each text. Return where the others are.
        """
        answers = [_MISS] * len(new.keys)
        if (told := new.seen.glance) is not None and isinstance(new.keys[0], bytes):
            codes = decided(new.seen, new.scores).tolist()
            spans = zip(new.seen.masked, told.head.tolist(), strict=True)
            heads = [text[:end] if end >= 0 else None for text, end in spans]
            begun = list(zip(codes, new.kinds, heads, strict=True))
            answers = list(map(self._of_head.get, begun, repeat(_MISS)))
            for at in [at for at, code in enumerate(codes) if code and answers[at] == _MISS]:
                answers[at] = self._decided(new, at, begun[at])
        known = {key: answer for key, answer in zip(new.keys, answers, strict=True) if answer >= 0}
        self._young.update(known)
        self.misses += len(known)
        return {new.keys[at]: (new, at) for at, answer in enumerate(answers) if answer < 0}

    def _decided(self, new: _New, at: int, begun: _Begun) -> int:
        """The answer for a text that a score decides; negative if it takes a look.

        Remembered for all that begin so, if nothing else in them tells their owner.
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
        # A digit of a name is masked here: as written it may be another's.
        if owner.trusted or "0" in name or (otp and (owner.of_sender or owner.person)):
            answer = _LOOK
        elif not self._call(answer, platform):  # another's ids: `_first` says whose they are
            self._other = None
            return _MISS
        if head == "" or (head and is_plain_head(folded[: len(head)])):
            if len(self._of_head) >= _OWNERS_MAX:
                self._of_head.clear()
            self._of_head[begun] = answer
        return answer

    def _first(self, key: _Key, asked: _Asked, looked: _Looked) -> int:
        """The answer for an event whose template neither generation knows."""
        seen, found = excerpt(asked.text), looked.look
        native = found.may & glance.CLOSELY and has_native_digits(seen)
        if native:  # other messages of the template differ in digits that are not masked
            key = _again(key, _masked(mask(fold(seen)), asked.kind) + _FOLDED)
            if (known := self._remembered(key)) != _MISS:
                return known
        owner = self._owner(asked, seen, found)
        answer, platform = self._read(asked, looked, owner)
        if native and owner.hidden and answer & _OTP:
            # Capitals may tell the platform, and are not in the folded key: read it every time.
            self._call(answer, platform)
            return answer
        if not owner.digits:
            return self._remember(key, answer, platform)
        if native:  # the name's digits are not where the folded text has them: read it every time
            self._call(answer, platform)
            return answer
        name = found.signature or found.host
        assert name is not None, "else it would have no digits"
        start, end = (len(seen[:at].encode("utf-8", "surrogatepass")) for at in name)
        self._remember(key, _NAME - (start << 16 | end), "")
        literal = seen.encode("utf-8", "surrogatepass")[start:end]
        return self._remember(_with(key, literal), answer, platform)

    def _remembered(self, key: _Key) -> int:
        """An answer of either generation, moved to the young one; _MISS if there is none."""
        known = self._young.get(key, _MISS)
        if known == _MISS and (known := self._old.get(key, _MISS)) != _MISS:
            self._remember(key, known, self._old_names.get(known >> 16, ""))
        return known

    def _remember(self, key: _Key, answer: int, name: str) -> int:
        """Puts an answer into the young generation, unless its key is too long to keep.

        Nor is one kept whose platform's ids, of 47 bits in all, are known as another's.
        """
        if answer >= 0 and not self._call(answer, name):
            return answer
        if isinstance(key, bytes) or all(len(part) <= _FIELD_BYTES for part in key[1:]):
            self._young[key] = answer
        return answer

    def _call(self, answer: int, name: str) -> bool:
        """Notes whose ids an answer has; False if another has them, and then they stay its."""
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
        """The owner of a message; remembered, for even of new texts few are of a new one."""
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

    def _read(self, asked: _Asked, looked: _Looked, owner: _Owner) -> tuple[int, str]:
        """Reads a text as far as it takes: the answer, and the platform's key."""
        self.misses += 1
        rule = None
        if asked.category or asked.template or not asked.text:
            origin = self._origins[asked.kind]
            rule = _textless(
                self.registry, origin, asked.category, asked.template, text=bool(asked.text)
            )
        if rule:
            sure = RULES[rule].confidence
        else:
            sure = confidence(
                looked.look, looked.score, read, trusted=owner.trusted, person=owner.person
            )
        answer = round(sure * 100) << 8
        if sure < self.params.confidence_min:
            return answer, ""
        if not owner.of_sender:
            return owner.answer | answer, owner.key
        told = _brand()(self.registry, looked.look) if owner.hidden else None
        if told is None:
            return owner.answer & _TRUST | _OTP | answer | _FROM_SENDER, ""
        return _identity(told) << 16 | owner.answer & _TRUST | _OTP | answer, told
