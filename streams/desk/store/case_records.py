"""Returns the stored records of one case, for the file that is given to an authority.

The store has every record of episodes, leases, incidents and overrides. It has only the newest
record of each acknowledgement, count and notice. It does not store the records' offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Select, select

from streams.desk.store.packing import unpacked
from streams.desk.store.store import ReadModel, ack_of, notices_of, platform_counts
from streams.desk.store.tables import (
    acks,
    cases,
    changes,
    counts,
    incidents,
    leases,
    links,
    words,
)
from streams.wire import (
    EVERYONE,
    Counts,
    decode_action,
    decode_episode,
    decode_incident,
    decode_override,
)


def case_records(store: ReadModel, episode_id: str) -> list[tuple[str, Any]]:
    """Return the records of a case as pairs of kind (`episode`, `lease`, `ack`, …) and record.

    The list is empty if there is no such case. Raise UnavailableError if the store does not answer.
    """
    with store.reading() as (connection, _):
        return list(_records(connection, episode_id))


def _records(connection: Connection, episode_id: str) -> Iterator[tuple[str, Any]]:
    recipient = connection.scalar(select(cases.c.recipient).where(cases.c.episode_id == episode_id))
    if recipient is None:
        return
    about = words.c.recipient.in_((recipient, EVERYONE))
    kept: tuple[tuple[str, Select[Any], Callable[[bytes], Any]], ...] = (
        ("episode", select(changes.c.value).where(changes.c.episode_id == episode_id)
         .order_by(changes.c.revision), decode_episode),
        ("lease", select(leases.c.value).where(leases.c.episode_id == episode_id)
         .order_by(leases.c.epoch, leases.c.revision), decode_action),
        ("incident", select(incidents.c.value).where(incidents.c.episode_id == episode_id)
         .order_by(incidents.c.revision, incidents.c.first), decode_incident),
        ("word", select(words.c.value).where(about).order_by(words.c.written_ms, words.c.offset),
         decode_override),
    )  # fmt: skip
    for kind, wanted, decode in kept:
        for value in connection.scalars(wanted):
            yield kind, decode(unpacked(value))
    own = select(links.c.action_id).where(links.c.episode_id == episode_id)
    for row in connection.execute(
        select(acks)
        .where(acks.c.action_id.in_(own))
        .order_by(acks.c.at_ms, acks.c.gateway_id, acks.c.state)
    ).mappings():
        yield "ack", ack_of(row)
    for row in connection.execute(
        select(counts).where(counts.c.action_id.in_(own)).order_by(counts.c.at_ms)
    ).mappings():
        told = {name: row[name] for name in ("action_id", "gateway_id", "at_ms", "refused")}
        by_platform = platform_counts(row["by_platform"])
        yield "counts", Counts(**told, episode_id=episode_id, by_platform=by_platform)
    for notice in notices_of(connection, episode_id):
        yield "notice", notice
