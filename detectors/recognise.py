"""Is this message a verification code, where is the code, who sent it, how sure is the answer.

`recognise` says it for one message, exactly. `Recogniser` says the same for the columns of a batch
and remembers what it has read: the answer depends on nothing but the masked text, the digits inside
the sender's name, and the other fields of the event, so templates are read once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.event import Batch, Trust, platform_id
from detectors.fold import MASK, fold, has_native_digits, mask, name_key
from detectors.reading import HEAD_CHARS, READ_CHARS, Reading, excerpt, names_codes, read
from detectors.registry import Line, Registry, Sender
from detectors.rules import RULES

OTP_CATEGORY: Final = "otp"
OTHER_CATEGORIES: Final = frozenset({"txn", "notice", "marketing", "p2p"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `recognise` says of one message."""

    otp: bool  # confidence reaches the least that counts
    confidence: float  # 0..1 that this is a verification code
    code_span: tuple[int, int] | None  # of the code in the text given, for an otp that shows one
    platform: str  # key: `sig:`, `port:`, `id:`, `host:` or `from:`
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
    r"""What one message is, exactly and without a cache.

    Arguments are the fields of an event as the feed gives them, empty where it gives nothing.

    >>> registry = Registry.load('[bank]\n"工商银行" = {ports = ["95588"]}')
    >>> verdict = recognise(registry, "【工商银行】动态码：194872，切勿泄露！", sender="95588")
    >>> verdict.otp, verdict.code_span, verdict.platform, verdict.trust.name
    (True, (10, 16), 'sig:工商银行', 'BANK')
    """
    seen = excerpt(text)
    reading = read(mask(seen))
    origin = registry.sender(sender)
    rule = _rule(registry, reading.rule if text else None, origin, category, template)
    key, trust = _platform(registry, reading, seen, origin, signature, platform)
    confidence = RULES[rule].confidence
    otp = confidence >= confidence_min
    span = reading.code if otp else None
    if span and span[0] > HEAD_CHARS and len(text) > READ_CHARS:
        shift = len(text) - len(seen)
        span = span[0] + shift, span[1] + shift
    return Verdict(otp, confidence, span, key, trust, rule)


def _rule(
    registry: Registry, read_rule: str | None, origin: Sender, category: str, template: str
) -> str:
    """The rule that decides: the category, the template's category, the text, the sender."""
    for told in (category, registry.templates.get(template, "")):
        if told == OTP_CATEGORY:
            return "category-otp"
        if told in OTHER_CATEGORIES:
            return "category-other"
    person = origin.line in (Line.PERSON, Line.ABSENT)
    if read_rule is not None:
        return "weak-person" if read_rule == "weak" and origin.line is Line.PERSON else read_rule
    if person:
        return "sender-person"
    return "sender-codes" if names_codes(origin.key) else "sender-service"


def _platform(
    registry: Registry, reading: Reading, seen: str, origin: Sender, signature: str, platform: str
) -> tuple[str, Trust]:
    """The platform's key and trust: signature, else registered id or port, else id, host, sender.

    An id that the registry knows is the gateway's word and stands above what a number says.
    """
    claim = name_key(signature)
    if not claim and reading.signature:
        claim = name_key(seen[slice(*reading.signature)])
    told = registry.ids.get(platform)
    claimed = registry.signatures.get(claim) if claim else told
    trust = told.trust if told and told == claimed else registry.trust(claimed, origin)
    if claimed or claim:
        return f"sig:{claimed.key if claimed else claim}", trust
    if origin.owners:
        return f"port:{origin.owners[0].name}", trust
    if platform:
        return f"id:{platform}", trust
    if reading.host:
        host = fold(seen[slice(*reading.host)])
        owner = registry.host(host)
        return (f"sig:{owner.key}" if owner else f"host:{host}"), trust
    return origin.from_key, trust


@dataclass(frozen=True, slots=True)
class Codes:
    """The answers for one batch: arrays of its length, and the names behind the platform ids."""

    otp: NDArray[np.bool_]
    platform: NDArray[np.uint32]  # `platform_id` of the key; 0 where the event is no code
    trust: NDArray[np.uint8]  # of Trust; 0 where the event is no code
    confidence: NDArray[np.float32]  # 0..1
    names: dict[int, str]  # platform id -> key, for every platform of a code in the batch


# An answer kept in memory is one integer, so that answers become columns without a loop:
# platform id << 16 | confidence in hundredths << 8 | trust << 2 | from-sender << 1 | otp.
# "From-sender" leaves the platform to the event's own sender. A negative one tells what is missing.
_OTP: Final = 1
_FROM_SENDER: Final = 2
_MISS: Final = -1
_NAME: Final = -2  # and below: -2 - (start << 16 | end), the bytes of a name that holds digits

_OTHER_CATEGORY: Final = round(RULES["category-other"].confidence * 100) << 8
_FIELD_CHARS: Final = 256  # a signature, category or id longer than that is not worth remembering
_DIGIT: Final = re.compile("[0-9]")
_SENDERS_MAX: Final = 65_536  # chosen: more service numbers than a partition sees in a minute

_Key = tuple[object, ...]


def _masked(texts: Sequence[str]) -> list[bytes]:
    """The excerpts of some texts in UTF-8 with their digits masked.

    All at once where no text is long or holds a NUL: twice as fast as one by one.
    """
    if max(map(len, texts), default=0) <= READ_CHARS:
        joined = "\0".join(texts).encode("utf-8", "surrogatepass")
        masked = joined.translate(MASK).split(b"\0")
        if len(masked) == len(texts):
            return masked
    return [excerpt(text).encode("utf-8", "surrogatepass").translate(MASK) for text in texts]


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
        self._young: dict[_Key, int] = {}
        self._old: dict[_Key, int] = {}
        self._young_names: dict[int, str] = {}
        self._old_names: dict[int, str] = {}
        self._origins: list[Sender] = []  # the kinds of sender there are: line x owners x wording
        self._origin_numbers: dict[object, int] = {}
        self._origin_of: dict[str, int] = {}  # sender as written -> place in _origins
        self._origin_of_head: dict[str, int] = {}  # first digits of a long number -> the same
        self._from_of: dict[str, tuple[int, str]] = {}

    def columns(self, batch: Batch) -> Codes:
        """The answers for a batch: those that `recognise` gives for each event."""
        count = len(batch)
        self._make_room()
        keys: list[_Key] = list(
            zip(
                _masked(batch.text),
                self._origin_column(batch.sender),
                batch.signature,
                batch.category,
                batch.platform,
                batch.template if self.registry.templates else repeat("", count),
                strict=True,
            )
        )
        answers = np.fromiter(map(self._young.get, keys, repeat(_MISS)), np.int64, count)
        if any(batch.category):  # a thousand people's messages are not worth remembering
            other = np.fromiter(map(OTHER_CATEGORIES.__contains__, batch.category), bool, count)
            answers[other] = _OTHER_CATEGORY
        missing = np.flatnonzero(answers < 0)
        misses = self.misses
        for row in missing.tolist():
            answers[row] = self._answer(keys[row], int(answers[row]), batch.text[row])
        self.hits += count - (self.misses - misses)

        otp = (answers & _OTP).astype(np.bool_)
        platform = (answers >> 16).astype(np.uint32)
        names = {}
        for row in np.flatnonzero(answers & _FROM_SENDER).tolist():
            platform[row], key = self._from(batch.sender[row])
            names[int(platform[row])] = key
        for id_ in set(platform[otp].tolist()) - names.keys():
            names[id_] = self._young_names.get(id_) or self._old_names[id_]
        return Codes(
            otp=otp,
            platform=platform,
            trust=(answers >> 2 & 7).astype(np.uint8),
            confidence=(answers >> 8 & 0x7F).astype(np.float32) / np.float32(100),
            names=names,
        )

    def _make_room(self) -> None:
        """Drops the old generation if the young one is full.

        Between batches, so that all answers and names of the batch in hand are there.
        """
        if max(len(self._young), len(self._young_names)) > self.params.cache_templates:
            self._old, self._young = self._young, {}
            self._old_names, self._young_names = self._young_names, {}
        if len(self._origin_of) > _SENDERS_MAX:
            self._origin_of = {}
            self._origin_of_head = {}
        if len(self._from_of) > _SENDERS_MAX:
            self._from_of = {}

    def _origin_column(self, senders: Sequence[str]) -> list[int]:
        """The kind of each sender: all that a sender tells but itself.

        A platform's thousand extensions share a kind, and so an answer.
        """
        column = list(map(self._origin_of.get, senders, repeat(_MISS)))
        if _MISS in column:
            for row, number in enumerate(column):
                if number == _MISS:
                    column[row] = self._origin(senders[row])
        return column

    def _origin(self, sender: str) -> int:
        head = self.registry.head(sender)
        number = self._origin_of_head.get(head, _MISS) if head else _MISS
        if number == _MISS:
            origin = self.registry.sender(sender)
            kind = origin.line, origin.owners, names_codes(origin.key)
            number = self._origin_numbers.setdefault(kind, len(self._origins))
            if number == len(self._origins):
                self._origins.append(origin)
            if head:
                self._origin_of_head[head] = number
        if len(sender) <= _FIELD_CHARS:
            self._origin_of[sender] = number
        return number

    def _from(self, sender: str) -> tuple[int, str]:
        """Platform id and key of a message that nothing but its sender names."""
        if sender not in self._from_of:
            key = self.registry.sender(sender).from_key
            self._from_of[sender] = platform_id(key), key
        return self._from_of[sender]

    def _answer(self, key: _Key, known: int, text: str) -> int:
        """The answer for an event that the young generation does not answer by its key alone."""
        if known == _MISS:
            known = self._remembered(key)
        seen = excerpt(text)
        if known <= _NAME:
            start, end = divmod(_NAME - known, 1 << 16)
            return self._answer_named(key, seen, seen.encode("utf-8", "surrogatepass")[start:end])
        if known != _MISS:
            return known
        masked = mask(seen)
        native = has_native_digits(masked)
        if native:  # other messages of the template differ in digits that are not masked
            masked = mask(fold(masked))
            key = (masked, *key[1:])
            if (known := self._remembered(key)) != _MISS:
                return known
        reading, answer = self._read(key, seen)
        name = reading.signature or reading.host
        if name is None or not _DIGIT.search(fold(seen[slice(*name)])):
            return self._remember(key, *answer)
        if native:  # the name's digits are not where the folded text has them: read it every time
            self._young_names[answer[0] >> 16] = answer[1]
            return answer[0]
        start, end = (len(masked[:at].encode("utf-8", "surrogatepass")) for at in name)
        self._remember(key, _NAME - (start << 16 | end), "")
        literal = seen.encode("utf-8", "surrogatepass")[start:end]
        return self._remember((*key, literal), *answer)

    def _answer_named(self, key: _Key, seen: str, literal: bytes) -> int:
        """The answer for a template whose name holds digits: they belong to the key."""
        key = (*key, literal)
        known = self._young.get(key, _MISS)
        if known == _MISS and (known := self._remembered(key)) == _MISS:
            return self._remember(key, *self._read(key, seen)[1])
        return known

    def _remembered(self, key: _Key) -> int:
        """An answer of either generation, moved to the young one; _MISS if there is none."""
        known = self._young.get(key, _MISS)
        if known == _MISS and (known := self._old.get(key, _MISS)) != _MISS:
            self._remember(key, known, self._old_names.get(known >> 16, ""))
        return known

    def _remember(self, key: _Key, answer: int, name: str) -> int:
        """Puts an answer into the young generation, unless its key is too long to keep."""
        if all(len(part) <= _FIELD_CHARS for part in key[2:] if isinstance(part, str)):
            self._young[key] = answer
        if answer >= 0:
            self._young_names[answer >> 16] = name
        return answer

    def _read(self, key: _Key, seen: str) -> tuple[Reading, tuple[int, str]]:
        """Reads a text in full: what it tells, the answer, and the platform's key."""
        self.misses += 1
        registry = self.registry
        _, number, signature, category, platform, template = key[:6]
        assert isinstance(number, int)
        origin = self._origins[number]
        reading = read(mask(seen))
        rule = _rule(registry, reading.rule if seen else None, origin, str(category), str(template))
        confidence = RULES[rule].confidence
        if confidence < self.params.confidence_min:
            return reading, (round(confidence * 100) << 8, "")
        name, trust = _platform(registry, reading, seen, origin, str(signature), str(platform))
        answer = round(confidence * 100) << 8 | trust << 2 | _OTP
        if name == origin.from_key:
            return reading, (answer | _FROM_SENDER, "")
        return reading, (platform_id(name) << 16 | answer, name)
