"""Finds the gateways that are active: those from which a person may expect an answer.

An adapter stores a sign of life with the offsets that it commits, every few seconds. Adapters of
earlier versions store none; these are found by the acknowledgements that they publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.cluster.admin import Cluster
from streams.cluster.prompt import LATELY, LATELY_MS
from streams.cluster.read import TopicReader, readable
from streams.common import OtpguardError, UnavailableError
from streams.wire import decode_ack

if TYPE_CHECKING:
    from streams.config import Settings

AGES_MS: Final = tuple(60_000 * minutes for minutes in (1, 5, 15, 60, 240, 1_440))
"""Ages at which acknowledgements are read, in milliseconds, in addition to the newest records. A
gateway that has stopped responding publishes nothing more, while other gateways fill the end of the
topic. In a campaign they add thousands of records a minute."""
# A slower broker makes the answer less complete, but a person does not wait for it.
ANSWER_S: Final = 2.0

ALIVE, ENDED = "alive", "ended"
SILENT_MS: Final = 300_000
"""A gateway whose sign of life is older counts as stopped (milliseconds). Chosen: five minutes are
60 signs. A gateway that hangs or was killed is missed for so long; one that ended in order is
known at once."""
NEWER_MS: Final = 10_000
"""An acknowledgement that is so much newer than the sign of life (milliseconds) is of an adapter of
an earlier version, which stores no signs."""


class Sign(NamedTuple):
    """The newest sign of life of a gateway's adapter."""

    at_ms: int  # UTC, by the adapter's clock.
    ended: bool  # It has ended in order.


class Gateways(NamedTuple):
    """Gateways by name, each with the time at which it was last heard of (UTC, ms)."""

    at_work: dict[str, int]
    stopped: dict[str, int]


def write_sign(state: str, now_ms: int) -> str:
    """Return a sign of life as it is stored with committed offsets."""
    return f"{state} {now_ms}"


def gateway_signs(settings: Settings) -> dict[str, Sign]:
    """Return the newest sign of life of each gateway's adapter.

    The result is empty if the user has no right to see the groups, or if no broker answers.
    """
    try:
        with Cluster(settings.kafka) as cluster:
            return read_signs(cluster, settings.app_id)
    except OtpguardError:
        return {}


def read_signs(cluster: Cluster, app_id: str) -> dict[str, Sign]:
    """Return what `gateway_signs` does, and raise the cluster's errors."""
    prefix = f"{app_id}-enforce-"
    signs: dict[str, Sign] = {}
    for group, told in cluster.commit_metadata(prefix).items():
        for state, _, at in (each.partition(" ") for each in told):
            if state in (ALIVE, ENDED) and at.isascii() and at.isdecimal():
                name, sign = group.removeprefix(prefix), Sign(int(at), state == ENDED)
                signs[name] = max(sign, signs.get(name, sign))
    return signs


def sort_gateways(answered: Mapping[str, int], signs: Mapping[str, Sign], now_ms: int) -> Gateways:
    """Return which gateways are at work and which are stopped, of those heard of within a day.

    `answered` maps a gateway to the time of its newest acknowledgement, and `signs` to its newest
    sign of life.

    >>> sort_gateways({"a": 9}, {"a": Sign(9, ended=True), "b": Sign(8, ended=False)}, 10)
    Gateways(at_work={'b': 8}, stopped={'a': 9})
    """
    found = Gateways({}, {})
    for name in {**answered, **signs}:
        at_ms, sign = answered.get(name, 0), signs.get(name)
        stopped = False
        if sign is not None and at_ms <= sign.at_ms + NEWER_MS:
            at_ms, stopped = max(at_ms, sign.at_ms), sign.ended or sign.at_ms < now_ms - SILENT_MS
        if at_ms >= now_ms - LATELY_MS:
            found[stopped][name] = at_ms
    return found


def gateways_at_work(consumer: Any, places: Iterable[Any], now_ms: int) -> dict[str, int]:
    """Return the gateways that acknowledged anything within a day, with the newest time seen.

    Times are UTC milliseconds. Reads `LATELY` records of each partition at each age in `AGES_MS`.
    Afterwards the consumer stands at the end of each partition.
    """
    places = list(places)
    reader = TopicReader(consumer, places[0].topic)
    firsts, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    starts: list[Mapping[Any, int]] = [{p: max(firsts[p], ends[p] - LATELY) for p in places}]
    for age_ms in AGES_MS:
        found = consumer.offsets_for_times(dict.fromkeys(places, now_ms - age_ms))
        starts.append({p: each.offset for p, each in found.items() if each is not None})
    at_work: dict[str, int] = {}
    read: dict[Any, list[range]] = {place: [] for place in places}
    for start in starts:
        spans = {p: range(at, min(at + LATELY, ends[p])) for p, at in start.items()}
        spans = {p: span for p, span in spans.items() if span and span not in read[p]}
        for place, span in spans.items():
            read[place].append(span)
        wanted = {place.partition: (span.start, span.stop) for place, span in spans.items()}
        # Missing records were compacted away, or the broker is slow.
        with suppress(UnavailableError):
            for ack in readable(reader.records(wanted, ANSWER_S), decode_ack):
                at_work[ack.gateway_id] = max(at_work.get(ack.gateway_id, 0), ack.at_ms)
    reader.stand({place.partition: (ends[place], ends[place]) for place in places})
    return {name: at_ms for name, at_ms in at_work.items() if at_ms >= now_ms - LATELY_MS}
