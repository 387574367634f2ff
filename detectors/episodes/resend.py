"""One platform that re-sends its code to the same recipient: a WATCH record, never a throttle.

The sieve (the fast check of all codes) passes on the messages of recipients with `LOUD_MESSAGES` or
more in their two newest windows. For each such recipient, two counters find the most frequent
platforms (Misra & Gries 1982). The many platforms of a flood cancel each other out, so only the
re-sending of one platform reaches the threshold.
"""

from dataclasses import dataclass, field

from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import EpisodeParams
from detectors.model.fields import Count, PlatformId, Time
from detectors.model.records import (
    NOWHERE,
    Cause,
    Change,
    EpisodeRecord,
    Evidence,
    Level,
    Reason,
    Rung,
    Step,
    utc_ms,
)
from detectors.thresholds import RESEND_MESSAGES


@dataclass(slots=True, eq=False, repr=False)
class Resend:
    """The most frequent platforms of one recipient with many messages."""

    name: str
    first_s: Time
    last_s: Time = 0
    platform: PlatformId = 0  # platform that re-sends; 0: none yet
    episode_id: str = ""
    counts: dict[PlatformId, Count] = field(default_factory=dict)
    opened: Step | None = None

    def __post_init__(self) -> None:
        self.last_s = max(self.last_s, self.first_s)
        if bool(self.platform) != (self.opened is not None):
            raise ValueError("a re-sending platform without its opening, or the other way round")


def observe(
    signed: EpisodeParams,
    book: EpisodeLog,
    resend: Resend,
    cause: Cause,
    *,
    platform: int,
) -> None:
    """Count one message, and publish a record when its platform reaches `RESEND_MESSAGES`."""
    counts = resend.counts
    resend.last_s = max(resend.last_s, cause.at_s)
    if platform in counts or len(counts) < 2:
        counts[platform] = counts.get(platform, 0) + 1
    else:
        resend.counts = {held: count - 1 for held, count in counts.items() if count > 1}
    if not resend.platform and counts.get(platform, 0) >= RESEND_MESSAGES:
        resend.platform = platform
        resend.episode_id = f"{cause.id(signed.epoch)}:resend"
        resend.opened = Step(
            Level.WATCH, cause.at_ms, cause.offset, "resend", RESEND_MESSAGES, RESEND_MESSAGES
        )
        book.records.append(_record(signed, book, resend, cause, change="opened"))


def end(signed: EpisodeParams, book: EpisodeLog, resend: Resend, cause: Cause) -> None:
    """Publish that the re-sending is over, if its beginning was published."""
    if resend.platform:
        book.records.append(_record(signed, book, resend, cause, change="ended"))


def _record(
    signed: EpisodeParams,
    book: EpisodeLog,
    resend: Resend,
    cause: Cause,
    *,
    change: Change,
) -> EpisodeRecord:
    count = resend.counts.get(resend.platform, 0)
    last_ms = utc_ms(resend.last_s)
    opened = resend.opened
    assert opened is not None, "only an announced episode has a record"
    return EpisodeRecord(
        episode_id=resend.episode_id,
        kind="resend",
        change=change,
        epoch=signed.epoch,
        revision=cause.offset,
        recipient=resend.name,
        level=Level.WATCH if change == "opened" else Level.CLEAR,
        mode="shadow",
        at_ms=cause.at_ms,
        reason=Reason(
            "resend", count, RESEND_MESSAGES, "one platform sent verification codes again and again"
        ),
        evidence=Evidence(count, 1, 0, utc_ms(resend.first_s), last_ms),
        path=(opened,),
        sightings=(book.sighting(resend.platform, resend.first_s, novel=False),),
        rungs=(Rung("resend", count, RESEND_MESSAGES, float("inf")),),
        scope=NOWHERE,
        known=0,
        memory_days=0,
        chronic=False,
        cause=cause,
        version=signed.version,
        config=signed.config,
    )
