"""Sizes: the guide's table, the sizes of topics.yaml and the command say the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from detectors.chain import Params, Partition, snapshot
from detectors.model.times import DAY_S
from streams.common.limits import PARTITIONS_MAX
from streams.engine.state.checkpoint import CheckpointWriter, PutRecord
from streams.tools.operate.sizing import (
    CHANGELOG_BYTES,
    EVENTS_A_WORKER,
    OVERFLOW_BYTES,
    ROW_BYTES,
    size_of,
)
from tests.deploy.tools import ROOT
from tests.detectors.recipients.sifting import sift

GUIDE = (ROOT / "deploy" / "README.md").read_text("utf-8")
ROW = re.compile(r"\| (\w+) \| ([\d,]+) \| (\d+) M \| (\d+) \| (\d+) \| (\d) GiB \| ([\d.]+) GB \|")
ROWS = [row.groups() for row in ROW.finditer(GUIDE)]


def test_the_guides_table_is_found() -> None:
    assert [row[0] for row in ROWS] == ["trial", "city", "province"]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_size_fits_into_what_the_guide_plans_for_it(row: tuple[str, ...]) -> None:
    name, events, recipients, partitions, workers, gibibytes, changelog = row
    found = size_of(int(events.replace(",", "")), int(recipients) * 10**6)
    assert found.workers == int(workers), name
    assert found.partitions == int(partitions), name
    room = int(gibibytes) * 2**30 - found.memory_bytes
    assert room > 0.7e9, "what the guide leaves for suspects"
    assert abs(found.changelog_live_bytes / 1e9 / float(changelog) - 1) < 0.2


def test_the_sizes_of_the_topics_name_the_same_workers() -> None:
    topics = (ROOT / "deploy" / "topics.yaml").read_text("utf-8")
    named = re.findall(r"^  (\w+): # .*; (\d+) workers?$", topics, re.MULTILINE)
    assert named == [(row[0], row[4]) for row in ROWS]
    chinese = (ROOT / "deploy" / "README.zh.md").read_text("utf-8")
    counts = re.findall(r"\| ([\d,]+) \| [\d ]+[万亿] \| (\d+) \| (\d+) \| (\d) GiB \|", chinese)
    assert counts == [(row[1], row[3], row[4], row[5]) for row in ROWS]


@pytest.mark.parametrize("events", [1, 20_000, 20_001, 31_999, 32_001, 1_000_000, 10**8])
@pytest.mark.parametrize("recipients", [1, 2_000_000, 2_000_001, 320_000_001, 10**10])
def test_whatever_is_asked_for_the_partitions_hold_it(events: int, recipients: int) -> None:
    found = size_of(events, recipients)
    assert found.installations * found.workers * EVENTS_A_WORKER >= events
    assert found.partitions % found.workers == 0
    assert recipients / found.installations / found.partitions <= 10_000_000
    assert found.partitions <= PARTITIONS_MAX, "or `topics create` refuses what is advised here"
    assert found.partitions >= (4 if events <= 20_000 and recipients <= 2_000_000 else 32)
    assert found.memory_attacked_bytes >= found.memory_bytes > 500_000_000


def test_what_one_installation_cannot_hold_is_several_that_share_it() -> None:
    most = EVENTS_A_WORKER * PARTITIONS_MAX
    assert size_of(most, 1).installations == 1
    assert size_of(most + 1, 1).installations == 2
    assert size_of(1, 5_000_000 * PARTITIONS_MAX).installations == 1
    halves = size_of(1, 5_000_000 * PARTITIONS_MAX + 2)
    assert halves.installations == 2
    assert halves == replace(size_of(1, 5_000_000 * PARTITIONS_MAX // 2 + 1), installations=2)


def test_the_chart_takes_as_many_partitions_as_the_settings() -> None:
    schema = json.loads((ROOT / "deploy/helm/otpguard/values.schema.json").read_text("utf-8"))
    partitions = schema["properties"]["strimzi"]["properties"]["partitions"]
    assert partitions["maximum"] == PARTITIONS_MAX


def test_the_size_of_a_recipient_has_room_for_people_with_many_platforms() -> None:
    """People of the evaluation, after two years: up to three uses of each platform."""
    rng, people, params = np.random.default_rng(5), 5_000, Params()
    known = np.rint(12 * np.exp(0.81 * rng.standard_normal(people))).clip(2, 80).astype(np.int64)
    who = np.repeat(np.arange(1, people + 1, dtype=np.uint64), known)
    platform = rng.integers(1, 1 << 31, len(who)).astype(np.uint32)
    pause_days = np.maximum(1.0, 182 * (1 - rng.random(len(who))) ** (2 / 3))
    age = 2 + np.maximum(8, rng.exponential(pause_days, (3, len(who)))).cumsum(axis=0)
    age[0] = np.where(age[0] < 730, age[0], rng.uniform(2, 730, len(who)))
    used, partition = age < 730, Partition(params)
    order = np.argsort(-age[used], kind="stable")
    codes = [np.broadcast_to(each, age.shape)[used][order] for each in (who, platform, age)]
    for part in range(0, len(order), 20_000):
        keys, named, ages = (each[part : part + 20_000] for each in codes)
        at_s = ((730 - ages) * DAY_S).astype(np.int64)
        sift(params.sieve, partition.table, keys, named, at_s)
    overflow = partition.table.overflow
    assert overflow.live > people // 2, "many have platforms beyond their row"
    assert overflow.places.nbytes <= OVERFLOW_BYTES * people
    held = snapshot(partition)
    steps = CheckpointWriter(0, "size", 0).checkpoint(held, partition.next_offset, 0)
    written = sum(len(step.value or b"") for step in steps if isinstance(step, PutRecord))
    assert written <= min(CHANGELOG_BYTES, ROW_BYTES) * people
