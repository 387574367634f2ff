"""Lists recipients that came near a threshold which counts messages or one platform's codes. Pure.

`peaks` has the thresholds that count platforms. A recipient that is near these limits on benign
days may be a shared or a test number, which an operator exempts.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from detectors.judge_pass import external_form
from detectors.model.codes import Codes
from detectors.model.event import Batch, EventKind, Trust
from detectors.model.times import EPOCH_S
from detectors.partition import Params, Partition
from detectors.recipients.row import unpack
from detectors.suspects import returns
from detectors.suspects.judge import is_settled
from detectors.suspects.limit import WINDOWS as LIMITS
from detectors.suspects.suspect import Suspect
from detectors.suspects.volume import VOLUMES, WINDOWS, newest
from detectors.thresholds import LIMITS_TOTAL, RETURNS

NEAR: Final = 0.8  # Share of a threshold from which a recipient is listed.

NEAR_MAX: Final = 1 << 16  # Maximum number of entries that are kept. Further ones are left out.

BARS: Final = {rule: bar.throttle for rule, _, bar in (*WINDOWS, *VOLUMES)}


class NearLimit(NamedTuple):
    """The highest score of one recipient for one rule."""

    share: float  # of the threshold
    recipient: str
    rule: str
    platform: str  # "" if the rule counts several platforms
    score: float
    threshold: float
    at_ms: int


class NearLimits:
    """The recipients that came to `NEAR` of a threshold and did not reach it."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, str, str], NearLimit] = {}

    @property
    def found(self) -> list[NearLimit]:
        """The entries, nearest to the threshold first."""
        return sorted((e for e in self._highest.values() if e.share < 1), reverse=True)

    def observe(self, params: Params, part: Partition, batch: Batch, codes: Codes) -> None:
        """Find recipients in a batch that came near a threshold, and keep their highest scores.

        Only recipients with an untrusted code in the batch are checked. Call this method after the
        chain has processed the batch, because the scores come from the partition's state.
        """
        counted = codes.otp & (batch.kind == EventKind.MESSAGE) & (codes.trust == Trust.NONE)
        platforms: dict[int, dict[int, int]] = {}  # Recipient -> platform -> time of a code.
        for i in np.flatnonzero(counted).tolist():
            at_ms = int(batch.event_time_ms[i])
            platforms.setdefault(int(batch.recipient[i]), {})[int(codes.platform[i])] = at_ms
        repeats = part.table.repeats.codes
        for recipient, newest_ms in platforms.items():
            again = [p for p in newest_ms if recipient << 32 | p in repeats]
            suspect = part.suspects.get(recipient)
            if suspect is None:
                row = int(part.table.find(np.array([recipient], np.uint64))[0]) if again else -1
                if row < 0:
                    continue
                stored = unpack(part.table.words[row], part.table.overflow)
                suspect = Suspect(recipient, external_form(batch, recipient), row, *stored)
                suspect.repeats = part.table.repeats
            at_ms = max(newest_ms.values())
            if is_settled(params.judge, suspect, at_ms // 1000 - EPOCH_S):
                for rule, platform, score, bar in _scores(suspect, again, at_ms):
                    name = codes.names.get(platform, "") if platform else ""
                    self._keep(NearLimit(score / bar, suspect.name, rule, name, score, bar, at_ms))

    def _keep(self, entry: NearLimit) -> None:
        key = entry.recipient, entry.rule, entry.platform
        kept = self._highest.get(key)
        if entry.share < NEAR or (kept is None and len(self._highest) >= NEAR_MAX):
            return
        if kept is None or entry.share > kept.share:
            self._highest[key] = entry


def _scores(
    suspect: Suspect, again: list[int], at_ms: int
) -> Iterator[tuple[str, int, float, float]]:
    """Yield rule, platform (0: several), score and threshold; `again`: platforms with repeats."""
    repeats, high = suspect.repeats, suspect.recipient << 32
    for platform in again:
        if (held := suspect.seen.get(platform)) is None:
            continue
        if held >> 32 & 1 or repeats.is_young(high | platform, held >> 33):
            for rule, window_s, most, _ in LIMITS:
                yield rule, platform, densest(repeats.codes[high | platform], window_s), most
    every_s = sorted(at_s for p in suspect.seen for at_s in repeats.since(high | p, 0))
    for rule, window_s, most, *_ in LIMITS_TOTAL:
        yield rule, 0, densest(every_s, window_s), most
    for rule, (_, capped) in newest(suspect).items():
        yield rule, 0, capped, BARS[rule]
    yield returns.RULE, 0, len(returns.returned_platforms(suspect, at_ms)), RETURNS.throttle


def densest(times_s: Sequence[int], window_s: int) -> int:
    """Return the most of these ascending times that lie within one window.

    >>> densest([0, 1, 5, 6, 7], 3), densest([], 3)
    (3, 0)
    """
    ends = enumerate(times_s)
    return max((i + 1 - bisect_right(times_s, at_s - window_s) for i, at_s in ends), default=0)
