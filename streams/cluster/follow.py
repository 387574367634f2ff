"""Follows several topics with one client, without a consumer group and without commits."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from kafka import KafkaConsumer

from streams.cluster.admin import client_arguments, no_topic
from streams.cluster.read import Places, partitions_of
from streams.config import Settings

FETCH_BYTES: Final = 1 << 20
FETCH_WAIT_MS: Final = 250
"""A broker answers a fetch when it has a megabyte, or after this time. An answer for each record
would cost a fifth of a core in a campaign."""
TAKEN_MAX: Final = 5_000  # Records of one poll: about a tenth of a second of work.


class Followed(NamedTuple):
    """A client that stands in several topics."""

    places: Places
    names: dict[str, str]  # Topic -> name of its setting.
    is_behind: Callable[[], bool]  # True until the records are read that were there at the start.


@contextmanager
def following(
    settings: Settings, names: Iterable[str], since_ms: int, whole: Iterable[str]
) -> Iterator[Followed]:
    """Yield a client at the first records since a time.

    Settings in `whole` are read from their beginning. A topic that is missing, or that this user
    may not read, is left out, unless there is none at all.
    """
    clients = client_arguments(settings.kafka) | {"enable_auto_commit": False}
    clients |= {"auto_offset_reset": "earliest", "isolation_level": "read_committed"}
    clients |= {"fetch_min_bytes": FETCH_BYTES, "fetch_max_wait_ms": FETCH_WAIT_MS}
    with closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as consumer:
        topics = {getattr(settings.topics, name): name for name in names}
        seen = consumer.topics()
        places = [p for each in topics if each in seen for p in partitions_of(consumer, each)]
        if not places:
            raise no_topic(next(iter(topics)))
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        starts = consumer.offsets_for_times(dict.fromkeys(places, since_ms))
        for place, first in consumer.beginning_offsets(places).items():
            late = ends[place] if (start := starts.get(place)) is None else start.offset
            consumer.seek(place, first if topics[place.topic] in whole else late)
        yield Followed(
            Places(consumer),
            topics,
            lambda: any(consumer.position(place) < end for place, end in ends.items()),
        )
