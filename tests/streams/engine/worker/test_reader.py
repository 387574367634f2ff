"""Small envelopes of a poll are read together, to the same result."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detectors.model.codes import Codes
from detectors.model.event import Batch
from detectors.recognise.recogniser import Recogniser
from streams.config import Settings
from streams.engine.transport.envelope import Envelope
from streams.engine.worker.reader import Reader
from streams.telemetry.metrics import Metrics
from tests.faults.traffic import traffic

START_MS = 1_700_000_000_000


class Counting(Recogniser):
    """Notes how many events it is asked about at once."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.asked: list[int] = []

    def columns(self, batch: Batch) -> Codes:
        self.asked.append(len(batch))
        return super().columns(batch)


@pytest.fixture
def reader() -> Reader:
    settings = Settings()
    shipped = settings.recogniser()
    recogniser = Counting(shipped.registry, shipped.params)
    return Reader(replace(settings.intake(), partitions=4), "in", recogniser, Metrics())


def envelope(partition: int, number: int) -> Envelope:
    """So many records, some of them refused."""
    made = list(traffic(partition, 2 * number + 50, 1, START_MS, 600_000))[:number]
    offsets = range(10, 10 + number)
    times = [record.timestamp_ms for record in made]
    values, keys = [record.value for record in made], [record.key for record in made]
    values[60:61] = [b"{bad"] if number > 60 else []
    return Envelope(partition, 10, 10 + number, 10 + number, values, keys, offsets, times)


def asked(reader: Reader) -> list[int]:
    recogniser = reader.recogniser
    assert isinstance(recogniser, Counting)
    return recogniser.asked


def test_envelopes_that_are_read_together_say_what_each_says_alone(reader: Reader) -> None:
    poll = [envelope(partition, number) for partition, number in enumerate((70, 0, 1, 90))]
    decoded, rejects, codes = reader.read_together(poll)
    assert len(asked(reader)) == 1
    fresh = Settings()
    noncanonical = misplaced = 0
    outcomes: Counter[str] = Counter()
    for one, block, refused in zip(poll, decoded.batch.blocks, rejects, strict=True):
        intake = replace(fresh.intake(), partitions=4)
        expected, wanted = Reader(intake, "in", fresh.recogniser(), Metrics()).read(one)
        assert refused == expected.rejects
        noncanonical += expected.noncanonical_keys
        misplaced += expected.misplaced_keys
        outcomes.update(expected.outcomes)
        assert block[:2] == (one.partition, one.next_offset)
        here = slice(block.first, block.last)
        for column in ("offset", "event_time_ms", "recipient", "kind"):
            found = getattr(decoded.batch, column)[here].tolist()
            assert found == getattr(expected.batch, column).tolist()
        assert list(decoded.batch.gateway)[here] == list(expected.batch.gateway)
        for column in ("otp", "platform", "trust"):
            assert np.array_equal(getattr(codes, column)[here], getattr(wanted, column))
        for platform in wanted.platform[wanted.otp].tolist():
            assert codes.names[platform] == wanted.names[platform]
    assert (decoded.noncanonical_keys, decoded.misplaced_keys) == (noncanonical, misplaced)
    assert +Counter(decoded.outcomes) == +outcomes
    assert decoded.rejects
