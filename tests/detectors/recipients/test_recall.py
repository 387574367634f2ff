"""Memories of many rows at once: each as it would be kept alone."""

from __future__ import annotations

import random

import numpy as np
import pytest

from detectors.recipients.row import PRINTS, RING_WORDS, unpack
from detectors.recipients.table import Table
from tests.builders.detectors.recipients.row import DAY, PARAMS, START, seen_by_sieve
from tests.detectors.recipients.sifting import sift


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "several",
    [
        pytest.param(False, id="few"),
        pytest.param(True, id="many platforms", marks=pytest.mark.slow),
    ],
)
def test_many_rows_at_once_are_kept_as_each_alone(seed: int, *, several: bool) -> None:
    """And a late message takes its place among the others."""
    rng, rich = random.Random(seed), 0
    many = Table(1 << 14)
    alone = {recipient: Table(1 << 14) for recipient in range(1, 40)}
    at = START
    for _ in range(150 if several else 60):
        at += rng.randrange(3 * DAY)
        some = rng.sample(sorted(alone), rng.randrange(1, 30))
        batch = [
            (r, rng.randrange(1, 70 if several else 30), at - rng.choice([0, 0, 0, 3 * 3600]))
            for r in some
        ]
        columns = [np.array(column) for column in zip(*batch, strict=True)]
        sift(
            PARAMS,
            many,
            columns[0].astype(np.uint64),
            columns[1].astype(np.uint32),
            columns[2],
        )
        for recipient, platform, when in batch:
            sift(
                PARAMS,
                alone[recipient],
                np.array([recipient], np.uint64),
                np.array([platform], np.uint32),
                np.array([when], np.int64),
            )
    for recipient, table in alone.items():
        row = many.words[many.find(np.array([recipient], np.uint64))[0]]
        if table.used:
            one = table.words[0]
            assert row[RING_WORDS].tolist() == one[RING_WORDS].tolist()
            _, held = unpack(row, many.overflow)
            _, wanted = unpack(one, table.overflow)
            for name in ("born_day", "kept", "once", "marks"):
                assert getattr(held, name) == getattr(wanted, name)
            rich += held.size > PRINTS
    assert rich or not several, "some have more platforms than a row"


def test_a_repeat_within_the_day_changes_no_memory() -> None:
    table, again = Table(1 << 14), Table(1 << 14)
    for days in (0, 3, 9):
        seen_by_sieve(table, 5, START + days * DAY)
        seen_by_sieve(again, 5, START + days * DAY)
        seen_by_sieve(again, 5, START + days * DAY + 3600)
    assert table.words[0, 2:].tolist() == again.words[0, 2:].tolist()
