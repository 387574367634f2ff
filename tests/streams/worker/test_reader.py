"""Small envelopes of a poll are read together, to the same result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detectors.model.codes import Codes
from detectors.model.event import Batch
from detectors.recognise.recogniser import Recogniser
from streams.config import Settings
from streams.telemetry.metrics import Metrics
from streams.transport.driver import Envelope
from streams.wire.events import BLOCK
from streams.worker.reader import SMALL, Reader
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
    return Envelope(partition, 10, 10 + number, 10 + number, values, keys, offsets, times)


def asked(reader: Reader) -> list[int]:
    recogniser = reader.recogniser
    assert isinstance(recogniser, Counting)
    return recogniser.asked


def check(reader: Reader, envelopes: list[Envelope]) -> None:
    """What is read is what would be read alone."""
    fresh = Settings()
    for one in envelopes:
        decoded, codes = reader.read(one)
        intake = replace(fresh.intake(), partitions=4)
        alone = Reader(intake, "in", fresh.recogniser(), Metrics())
        expected, wanted_codes = alone.read(one)
        assert decoded.rejects == expected.rejects
        assert decoded.noncanonical_keys == expected.noncanonical_keys
        assert decoded.misplaced_keys == expected.misplaced_keys
        assert {k: n for k, n in decoded.outcomes.items() if n} == {
            k: n for k, n in expected.outcomes.items() if n
        }
        assert decoded.batch.partition == one.partition
        assert decoded.batch.next_offset == one.next_offset
        for column in ("offset", "event_time_ms", "recipient", "kind"):
            found, wanted = getattr(decoded.batch, column), getattr(expected.batch, column)
            assert found.tolist() == wanted.tolist()
        assert list(decoded.batch.gateway) == list(expected.batch.gateway)
        for column in ("otp", "platform", "trust"):
            assert np.array_equal(getattr(codes, column), getattr(wanted_codes, column))
        for platform in codes.platform[codes.otp].tolist():
            assert codes.names[platform] == wanted_codes.names[platform]


def test_the_small_ones_of_a_poll_are_read_together(reader: Reader) -> None:
    poll = [envelope(partition, number) for partition, number in enumerate((70, 0, 1, SMALL, 90))]
    reader.expect(poll)
    check(reader, poll)
    assert len(asked(reader)) == 2  # the small ones, and the large one


def test_no_more_are_read_together_than_a_block(reader: Reader) -> None:
    poll = [envelope(partition, SMALL - 1) for partition in range(6)]
    reader.expect(poll)
    check(reader, poll)
    assert len(asked(reader)) == 2
    assert max(asked(reader)) <= BLOCK


def test_what_a_poll_did_not_bring_is_read_by_itself(reader: Reader) -> None:
    poll = [envelope(partition, 30) for partition in range(3)]
    reader.expect(poll)
    check(reader, [envelope(1, 20), poll[0], envelope(2, 25)])
    reader.expect([envelope(0, 5)])
    check(reader, poll[1:])
