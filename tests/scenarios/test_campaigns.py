"""Campaigns from the real chain: told as one, soon, and beside floods that are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
import numpy as np

from detectors.campaigns.campaign import Campaign, campaigns
from detectors.campaigns.floods import Floods
from detectors.chain import Partition, process
from detectors.model.records import EpisodeRecord
from detectors.model.times import MINUTE_MS
from detectors.recognise.recogniser import Recogniser
from streams.tools.scenarios import DEFAULT_START_MS, Labelled, generate, merge_streams
from streams.wire.events import decode
from tests.scenarios.people import PLAIN
from tests.scenarios.play import BATCH, INTAKE, PARAMS, REGISTRY


def episodes(events: Iterable[Labelled]) -> Iterator[EpisodeRecord]:
    """The episode records of these events, which are a partition's log."""
    recogniser, partition, offset = Recogniser(REGISTRY), Partition(PARAMS), 0
    events = iter(events)
    while chunk := list(islice(events, BATCH)):
        values: list[bytes | None] = [msgspec.json.encode(event.value) for event in chunk]
        keys: list[bytes | None] = [str(event.value["recipient"]).encode() for event in chunk]
        offsets = range(offset, offset + len(chunk))
        batch = decode(INTAKE, "in", 0, values, keys, np.array(offsets), None, offsets.stop).batch
        yield from process(PARAMS, partition, batch, recogniser.columns(batch)).episodes
        offset = offsets.stop


def lone(count: int) -> list[Iterator[Labelled]]:
    """Floods of people one by one, each by a tool of its own, over an hour."""
    return [
        generate(
            "A1", seed, recipient=100_000 + seed, tool=50 + seed,
            start_ms=DEFAULT_START_MS + seed * 60 * MINUTE_MS // count, **PLAIN,
        )
        for seed in range(count)
    ]  # fmt: skip


def found(records: Iterable[EpisodeRecord]) -> tuple[list[Campaign], dict[str, int], Floods]:
    """The campaigns at the end, after how many floods each was told of first, and the floods."""
    floods, first = Floods(), dict[str, int]()
    for record in records:
        if floods.take(record, record.at_ms) and record.change in ("opened", "raised"):
            for each in campaigns(floods):
                first.setdefault(each.campaign_id, len(floods.by_id))
    return campaigns(floods), first, floods


def test_a_campaign_is_told_as_one_after_a_few_floods_and_lone_floods_are_none_of_it() -> None:
    attack = generate("A6", 3, recipients=60, tool=1, **PLAIN)
    told, first, floods = found(episodes(merge_streams(attack, *lone(12))))
    (campaign,) = told
    assert 57 <= campaign.victims <= 60
    assert len(floods.by_id) >= 60 + 11
    assert min(first.values()) <= 30
    assert list(first) == [campaign.campaign_id], "told by one id from the first to the last"
    assert campaign.platforms_total >= 58


def test_lone_floods_of_an_hour_are_no_campaign() -> None:
    told, first, floods = found(episodes(merge_streams(*lone(20))))
    assert len(floods.by_id) >= 19
    assert (told, first) == ([], {})
