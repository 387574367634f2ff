"""Senders that many platforms share, told by how many names their codes' texts hold. Pure.

A list of such senders ships (`data/brands.toml`); an aggregator's short name in one country is on
no list. What is counted here only proposes: a recogniser that learned from traffic would answer
differently in each partition and after each restart, and an answer is shared by template.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from detectors.model.codes import Codes
from detectors.model.event import Batch
from detectors.recognise.brands import brand
from detectors.recognise.fold import mask
from detectors.recognise.names import tells_nobody
from detectors.recognise.reading import excerpt, look
from detectors.recognise.registry import Line, Registry

NAMES_LEAST: Final = 8
"""Names from which a sender is called shared. Chosen: a bank's own codes name the shops where one
pays, and of its templates a handful at most do so without naming the bank."""
SHARE_MOST: Final = 0.4
"""Share of the texts with a name that the most frequent name may have: else the sender is its."""
SENDERS_MAX: Final = 4_096
TEMPLATES_MAX: Final = 128
"""Templates of one sender that are read: with a hundred it is known."""


@dataclass(slots=True)
class _Sent:
    """The codes of one sender that were seen."""

    templates: set[int] = field(default_factory=set)  # CRC-32 of masked texts
    names: Counter[str] = field(default_factory=Counter)  # named by them, one each


class FanOut:
    """Counts the names in codes' texts, by sender. Bounds: 4,096 senders of 128 templates."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._sent: dict[str, _Sent] = {}

    def take(self, batch: Batch, codes: Codes) -> None:
        """Counts the codes of a batch whose sender is a name that nobody registered."""
        for row in codes.otp.nonzero()[0].tolist():
            text = batch.text[row]
            if not text or batch.signature[row]:
                continue
            origin = self.registry.sender(batch.sender[row])
            if origin.line is not Line.NAMED or origin.owners or tells_nobody(origin):
                continue
            sent = self._sent.get(origin.key)
            if sent is None:
                if len(self._sent) >= SENDERS_MAX:
                    continue
                sent = self._sent[origin.key] = _Sent()
            masked = mask(excerpt(text))
            template = zlib.crc32(masked.encode("utf-8", "surrogatepass"))
            if template in sent.templates or len(sent.templates) >= TEMPLATES_MAX:
                continue
            sent.templates.add(template)
            looked = look(masked)
            if looked.signature is None and (name := brand(self.registry, looked)):
                sent.names[name] += 1

    def shared(self) -> dict[str, int]:
        """The senders that many platforms share, with how many names each was seen to send for."""
        return {
            sender: len(sent.names)
            for sender, sent in sorted(self._sent.items())
            if len(sent.names) >= NAMES_LEAST
            and max(sent.names.values()) <= SHARE_MOST * sent.names.total()
        }
