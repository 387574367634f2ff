"""Recognise the messages of batches, and cache the answers: each template is read once.

An answer depends only on the text with masked digits, the digits inside the platform's name, the
kind of the sender, and the other fields of the event. The answers are those of `decide.recognise`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.codes import Codes
from detectors.model.event import Batch, Trust
from detectors.recognise.cache import FIELD_BYTES, FROM_SENDER, MISS, OTP, AnswerCache, identify
from detectors.recognise.decide import (
    OTHER_CATEGORIES,
    OTP_CATEGORY,
    PERSONS,
    Message,
    Source,
    decide,
    find_brand,
    find_source,
)
from detectors.recognise.platform.keys import key_of_sender
from detectors.recognise.platform.names import tells_nobody
from detectors.recognise.platform.registry import Registry, Sender
from detectors.recognise.rules import glance
from detectors.recognise.rules.reading import Glanced, excerpt, names_codes, prescan_texts
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.rules.signature import is_plain_head, signature_span
from detectors.recognise.templates import (
    TAILS,
    Key,
    mask_text,
    mask_texts,
    number_templates,
    unmask_kinds,
)
from detectors.recognise.text import patterns
from detectors.recognise.text.fold import fold, has_native_digits, mask
from detectors.recognise.vocabulary import owners, scripts
from detectors.recognise.weigh import Weighed, decide_by_scores, model, score_texts, weigh_text

_OTHER_CATEGORY: Final = round(RULES["category-other"].confidence * 100) << 8
_DIGIT: Final = re.compile("[0-9]")
_FOLDED: Final = b"\0"
"""Last byte of the key of a text that was folded first. No other key ends with it."""
_SOURCES_MAX: Final = 4_096
"""Number of cached sources, and of texts with digits in the platform's name."""
_SENDERS_MAX: Final = 65_536  # chosen: more service numbers than one partition has per minute
_CHECKED_BATCHES: Final = 64
_CHECKED_ROWS: Final = 64
"""In one batch of 64, the texts of the first 64 events are compared with their categories. Chosen:
this takes under 10 µs per batch on average."""
_TRUSTS: Final = tuple(Trust)


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


class MessageAnswer(NamedTuple):
    """The answer of `Recogniser.one` about one message."""

    otp: bool
    platform: str  # platform key; empty if the message is no code
    trust: Trust
    confidence: float  # 0..1, rounded to hundredths


class _Names(Mapping[int, str]):
    """The platform keys by platform id, collected at the first use, because few are needed.

    If several keys have the same id, the key of the first event is used.
    """

    def __init__(self, ids: NDArray[np.uint32], otp: NDArray[np.bool_],
                 named: Callable[[int], str]) -> None:  # fmt: skip
        self._ids, self._otp, self._named = ids, otp, named

    @cached_property
    def _rows(self) -> dict[int, int]:
        where = indices(self._otp)[::-1]
        return dict(zip(self._ids[where].tolist(), where.tolist(), strict=True))

    def __getitem__(self, id_: int) -> str:
        return self._named(self._rows[id_])

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Recogniser:
    """Recognises the messages of batches. Reads each template once and caches the answer.

    The cache never changes an answer, only its cost. It is bounded by twice `cache_templates`
    answers plus one batch, and by 65,536 senders.
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
        self._cache = AnswerCache(self.params.cache_templates)
        self._kind_of: dict[bytes, int] = {}  # sender as written -> number of its kind
        self._kind_of_head: dict[str, int] = {}  # first digits of a long number -> the same
        self._from_of: dict[str, tuple[int, str]] = {}
        self._forget()

    def _forget(self) -> None:
        self._cache.clear()
        self._origins: list[Sender] = []  # a sender of each kind: line x owners x wording
        self._kinds: dict[object, int] = {}  # kind -> its number
        self._kind_of.clear()
        self._kind_of_head.clear()
        # By kind and written names: the source, and whether its name has digits.
        self._sources: dict[tuple[int, str, str, str], tuple[Source, bool]] = {}
        self._begun: dict[tuple[int, int, str | None], int] = {}
        """Answers by what the score decides, the kind of the sender, and `Glance.head`."""
        self._name_spans: dict[Key, tuple[int, int]] = {}
        """Byte spans of names with digits. The name as written then belongs to the key."""

    def prepare(self, *, rare: bool = True) -> Iterator[None]:
        """Load the model and compile large patterns in small steps; this takes .6 s.

        After that, a text waits a few milliseconds at most for its patterns. Messages can be
        recognised before the first step and between steps. Then a text waits only for the patterns
        that it needs first. Without `rare`, scripts other than Chinese, Japanese and Latin are left
        out, which saves a third; then the first text of such a script waits 20 ms.
        """
        model()
        yield
        yield from scripts.prepare(rare=rare)
        yield from owners.prepare()
        yield from patterns.prepare()
        glance.prepare()
        yield
        find_brand()

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
        kind = self._find_kind(sender.encode("utf-8", "surrogatepass"))
        masked = mask_text(text, kind)
        key: Key = masked
        told = (signature, category, platform, template if self.registry.templates else "")
        if any(told):
            fields = told if self.registry.templates else told[:3]
            key = (masked, *(each.encode("utf-8", "surrogatepass") for each in fields))
        misses = self.misses
        answer = _OTHER_CATEGORY if category == PERSONS else self._cache.young.get(key, MISS)
        if answer == MISS:
            message = Message(text, sender, signature, category, platform, template)
            answer = self._answer(key, kind, message)
        self.hits += misses == self.misses
        name = self._cache.names[answer >> 16]
        if answer & FROM_SENDER:
            name = self._name_sender(sender)[1]
        sure, trust = (answer >> 8 & 0x7F) / 100, _TRUSTS[answer >> 2 & 7]
        return MessageAnswer(bool(answer & OTP), name, trust, sure)

    def columns(self, batch: Batch) -> Codes:
        """Recognise a batch. The answers are the same as those of `recognise` for each event."""
        self._make_room()
        senders = batch.sender.pieces()
        known = map(self._kind_of.get, senders)
        kinds = [self._find_kind(sender) if kind is None else kind
                 for sender, kind in zip(senders, known, strict=True)]  # fmt: skip
        masked = mask_texts(batch.text, kinds)
        keys = self._make_keys(batch, masked)
        answers = np.fromiter(map(self._cache.young.get, keys, repeat(MISS)), np.int64, len(batch))
        if batch.category.any():  # not cached: there are many texts of people
            other = map(PERSONS.encode().__eq__, batch.category.pieces())
            answers[np.fromiter(other, bool, len(batch))] = _OTHER_CATEGORY
        self._check_categories(batch)
        misses = self.misses
        self._answer_rows(batch, keys, kinds, answers)
        self.hits += len(batch) - (self.misses - misses)
        return self._make_codes(batch, masked, answers)

    def _make_keys(self, batch: Batch, masked: Sequence[bytes]) -> Sequence[Key]:
        """Return the cache key of each event.

        Most feeds give only text and sender. A key of bytes is hashed twice as fast as a tuple.
        """
        told = [batch.signature, batch.category, batch.platform]
        if self.registry.templates:
            told.append(batch.template)
        if not any(column.any() for column in told):
            return masked
        columns = zip(masked, *(column.pieces() for column in told), strict=True)
        return [key if any(key[1:]) else key[0] for key in columns]

    def _answer_rows(
        self, batch: Batch, keys: Sequence[Key], kinds: Sequence[int], answers: NDArray[np.int64]
    ) -> None:
        rows = indices(answers < 0)
        young = self._cache.young
        new = [keys[row] for row in rows.tolist()]
        unknown = dict(zip(new, [kinds[row] for row in rows.tolist()], strict=True))
        for known in (self._cache.old, self._name_spans):
            for key in known.keys() & unknown.keys():
                del unknown[key]
        left = self._decide_by_scores(unknown) if unknown else {}
        answers[rows] = np.fromiter(map(young.get, new, repeat(MISS)), np.int64, len(new))
        for row in rows[answers[rows] < 0].tolist():
            key = keys[row]
            answer = young.get(key, MISS)
            if answer == MISS:
                message = Message(*(getattr(batch, name)[row] for name in Message._fields))
                answer = self._answer(key, kinds[row], message, left.get(key))
            answers[row] = answer

    def _make_codes(
        self, batch: Batch, masked: Sequence[bytes], answers: NDArray[np.int64]
    ) -> Codes:
        otp = (answers & OTP).astype(np.bool_)
        ids = self._cache.identify(answers)
        own: dict[int, str] = {}  # platform keys of events that only their sender names, by row
        for row in indices(answers & FROM_SENDER).tolist():
            ids[row], own[row] = self._name_sender(batch.sender[row])
        index, names = answers >> 16, self._cache.names

        def named(row: int) -> str:
            return own.get(row) or names[index[row]]

        platform = ids.astype(np.uint32)
        return Codes(
            otp=otp,
            platform=platform,
            trust=(answers >> 2 & 7).astype(np.uint8),
            confidence=(answers >> 8 & 0x7F).astype(np.float32) / np.float32(100),
            names=_Names(platform, otp, named),
            check=(ids >> 32).astype(np.uint16),
            named=named,
            page=number_templates(masked, own),
        )

    def _check_categories(self, batch: Batch) -> None:
        """Count texts that contradict their category, in a sample of the batches.

        The counts change no answer. A gateway that labels codes as marketing would hide a flood, so
        operators must be able to see this.
        """
        self._batches += 1
        if self._batches % _CHECKED_BATCHES != 1 or not batch.category.any():
            return
        known = {OTP_CATEGORY, *OTHER_CATEGORIES}
        few = range(min(len(batch), _CHECKED_ROWS))
        rows = [row for row in few if batch.text[row] and batch.category[row] in known]
        seen = prescan_texts([mask(excerpt(batch.text[row])) for row in rows])
        scores = score_texts(seen).tolist()
        for row, folded, score in zip(rows, seen.texts(), scores, strict=True):
            sure = model().sure(score)
            code = sure is True and "0" in folded
            wrong = sure is False if batch.category[row] == OTP_CATEGORY else code
            self.checked[batch.gateway[row]] += 1
            self.contradicted[batch.gateway[row]] += wrong

    def _make_room(self) -> None:
        """Bound the memory. Call this only between batches: a batch needs all its answers."""
        if self._cache.make_room() or len(self._origins) > len(TAILS) // 2:
            self._forget()
        if len(self._kind_of) > _SENDERS_MAX:
            self._kind_of.clear()
            self._kind_of_head.clear()
        for bounded, most in ((self._from_of, _SENDERS_MAX), (self._begun, _SOURCES_MAX)):
            if len(bounded) > most:
                bounded.clear()

    def _find_kind(self, octets: bytes) -> int:
        """Return the number of a sender's kind: all facts about it except its own key.

        The many extensions of one platform share a kind, and therefore share answers.
        """
        kind = self._kind_of.get(octets)
        if kind is not None:
            return kind
        sender = octets.decode("utf-8", "surrogatepass")
        head = self.registry.head(sender)
        kind = self._kind_of_head.get(head) if head else None
        if kind is None:
            origin = self.registry.sender(sender)
            wording = names_codes(origin.key), not origin.key, tells_nobody(origin)
            kind = self._kinds.setdefault((origin.line, origin.owners, wording), len(self._origins))
            if len(self._kinds) > len(self._origins):
                self._origins.append(origin)
            if head:
                self._kind_of_head[head] = kind
        if len(octets) <= FIELD_BYTES:
            self._kind_of[octets] = kind
        return kind

    def _name_sender(self, sender: str) -> tuple[int, str]:
        if sender not in self._from_of:
            key = key_of_sender(self.registry, self.registry.sender(sender))
            self._from_of[sender] = identify(key), key
        return self._from_of[sender]

    def _decide_by_scores(self, unknown: Mapping[Key, int]) -> dict[Key, tuple[Glanced, int, int]]:
        """Cache the answers for new texts that the score alone decides, if their source is known.

        The answers are the same as those of `_answer`, but the texts are not parsed one by one.
        `unknown` maps each key to the kind of its sender. Returns the prescan of the remaining
        texts by key, with the place of the text in the prescan, and its score.
        """
        left: dict[Key, tuple[Glanced, int, int]] = {}
        every, kinds = list(unknown), list(unknown.values())
        heads = [key if isinstance(key, bytes) else key[0] for key in every]
        young, known = self._cache.young, self._begun
        for part in glance.parts(heads):
            seen = prescan_texts(unmask_kinds(heads[part]))
            scores = score_texts(seen)
            codes = decide_by_scores(seen, scores).tolist()
            ends = seen.glance.head.tolist() if seen.glance else [-1] * len(codes)
            rows = zip(codes, every[part], kinds[part], seen.masked, ends, strict=True)
            for at, (code, key, kind, text, end) in enumerate(rows):
                if code and isinstance(key, bytes):
                    begun = code, kind, text[:end] if end >= 0 else None
                    answer = known.get(begun, MISS)
                    if answer == MISS:
                        answer = self._decide_by_score(seen, at, begun)
                    if answer != MISS:
                        young[key] = answer
                        continue
                left[key] = seen, at, int(scores[at])
        self.misses += len(every) - len(left)
        return left

    def _decide_by_score(self, seen: Glanced, at: int, begun: tuple[int, int, str | None]) -> int:
        """Return the answer for a text that the score alone decides, or MISS if it does not.

        The answer is cached for all texts that begin alike, if nothing else names their source.
        """
        assert seen.glance is not None, "else nothing is decided"
        code, kind, head = begun
        folded = seen.glance.text(at)
        span = signature_span(folded)
        name = seen.masked[at][slice(*span)] if span else ""
        # Digits of a name are masked here. Names that differ only in digits are different sources.
        if "0" in name or not folded or (kind, name, "", "") not in self._sources:
            return MISS
        source, _ = self._sources[kind, name, "", ""]
        sure = model().sure_code if code > 0 else model().sure_other
        otp = sure >= self.params.confidence_min
        if source.trust is not Trust.NONE or (otp and (source.person or not source.key)):
            return MISS
        answer = self._cache.pack(sure, source.key, source.trust, otp=otp)
        if head == "" or (head and is_plain_head(folded[: len(head)])):
            self._begun[begun] = answer
        return answer

    def _answer(
        self, key: Key, kind: int, message: Message, left: tuple[Glanced, int, int] | None = None
    ) -> int:
        seen = excerpt(message.text)
        octets = seen.encode("utf-8", "surrogatepass")
        span = self._name_spans.get(key)
        if span is not None:
            key = _join_key(key, octets[slice(*span)])
        if (known := self._cache.get(key)) != MISS:
            return known
        if left is None or span is not None:
            weighed = weigh_text(mask(seen))
        else:
            weighed = Weighed(left[0].look(left[1]), left[2])
        looked = weighed.look
        native = looked.may & glance.CLOSELY and has_native_digits(seen)
        if native and span is None:  # not masked, so messages of one template have different keys
            folded = mask_text(mask(fold(seen)), kind) + _FOLDED
            key = (folded, *key[1:]) if isinstance(key, tuple) else folded
            if (known := self._cache.get(key)) != MISS:
                return known
        self.misses += 1
        origin = self._origins[kind]
        source, digits = self._find_source(message, weighed, kind)
        least = self.params.confidence_min
        sure, _, name, place = decide(self.registry, message, weighed, origin, source, least)
        answer = self._cache.pack(sure, name, source.trust, otp=sure >= least)
        if digits:
            place = looked.signature or looked.host
        # Capitals may name the platform and are not in the folded key. The digits of a name have
        # other places in the folded text.
        if native and (place or (source.hidden and answer & OTP)):
            return answer
        if place and span is None:
            start, end = (len(seen[:at].encode("utf-8", "surrogatepass")) for at in place)
            if len(self._name_spans) >= _SOURCES_MAX:
                self._name_spans.clear()
            if isinstance(key, bytes) or all(len(part) <= FIELD_BYTES for part in key[1:]):
                self._name_spans[key] = start, end
            key = _join_key(key, octets[start:end])
        return self._cache.put(key, answer)

    def _find_source(self, message: Message, weighed: Weighed, kind: int) -> tuple[Source, bool]:
        """Return the source of a message, and whether its name has digits.

        Messages of one template may differ in such a name. Sources are cached: few new texts have a
        new source.
        """
        looked, seen = weighed.look, excerpt(message.text)
        name = looked.signature or looked.host
        written = seen[slice(*name)] if name else ""
        signed = written if looked.signature else ""
        told = kind, signed, message.signature, message.platform
        if (signed or not name) and told in self._sources:
            return self._sources[told]
        source = find_source(self.registry, message, looked, self._origins[kind])
        digits = not written.isalpha() and _DIGIT.search(fold(written)) is not None
        if (signed or not name) and max(map(len, told[2:])) <= FIELD_BYTES:
            if len(self._sources) >= _SOURCES_MAX:
                self._sources.clear()
            self._sources[told] = source, digits
        return source, digits


def _join_key(key: Key, literal: bytes) -> Key:
    return (*key, literal) if isinstance(key, tuple) else (key, literal)
