"""Find senders that many platforms share, by the number of names in the texts of their codes.

A list of such senders is shipped (`data/brands.toml`), but it does not have every aggregator of
every country. The counts here are only proposals for the operator. A recogniser that learned from
traffic would give other answers in each partition and after each restart.
"""

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from detectors.model.codes import Codes
from detectors.model.event import Batch
from detectors.recognise.platform.brands import brand
from detectors.recognise.platform.names import tells_nobody
from detectors.recognise.platform.registry import Line, Registry
from detectors.recognise.rules.reading import excerpt, look
from detectors.recognise.text.fold import mask

NAMES_LEAST: Final = 8
"""Smallest number of names with which a sender counts as shared. Chosen: a bank's own codes name
the shops of payments, but only a few of its templates do so without naming the bank."""
SHARE_MOST: Final = 0.4
"""Largest share of the most frequent name among the texts with a name. With a larger share, the
sender belongs to this name."""
SENDERS_MAX: Final = 4_096
TEMPLATES_MAX: Final = 128
"""Largest number of templates that are read per sender. About a hundred are enough to decide."""


@dataclass(slots=True)
class _Sent:
    templates: set[int] = field(default_factory=set)  # CRC-32 of masked texts
    names: Counter[str] = field(default_factory=Counter)  # templates per platform key


class FanOut:
    """Counts the names in the texts of codes, by sender. Bounds: 4,096 senders, 128 templates each.

    The operator can add the senders that it proposes to `recognise.shared_senders`.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._sent: dict[str, _Sent] = {}

    def take(self, batch: Batch, codes: Codes) -> None:
        """Count the codes of a batch whose sender is an unregistered name."""
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
            if looked.signature is None and (name := brand(self.registry, looked, excerpt(text))):
                sent.names[name.key] += 1

    def list_shared(self) -> dict[str, int]:
        """Return the senders that many platforms share, with the number of names of each."""
        return {
            sender: len(sent.names)
            for sender, sent in sorted(self._sent.items())
            if len(sent.names) >= NAMES_LEAST
            and max(sent.names.values()) <= SHARE_MOST * sent.names.total()
        }
