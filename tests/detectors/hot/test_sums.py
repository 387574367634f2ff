"""The network's list: sums over partitions, by the rule of a partition's own list."""

from __future__ import annotations

import random

from detectors.hot.base import UNIT, Base
from detectors.hot.listed import choose
from detectors.hot.published_sums import HotPart, HotTelling
from detectors.hot.sums import NetworkSums
from detectors.hot.votes import Votes
from detectors.model.times import DAY_S

TOOL = range(1000, 1030)


def known(votes: dict[int, list[int]], met: dict[int, int]) -> tuple[Votes, Base]:
    cast, base = Votes(), Base()
    cast.turn(100)
    for who, platforms in votes.items():
        cast.cast(who, who, platforms)
    base.one = [platform for platform, count in met.items() for _ in range(count)]
    base.fold()
    return cast, base


def part_of(votes: Votes, base: Base) -> HotPart:
    part = HotTelling().due(100 * DAY_S, votes, base)
    assert part is not None
    return part


def test_votes_of_several_partitions_make_a_list_that_none_has_alone() -> None:
    people = dict.fromkeys(range(100), 30)
    sums = NetworkSums()
    for partition in range(6):
        votes, base = known({partition: [*TOOL]}, people)
        assert choose(votes, base) == []
        assert sums.take(partition, 1, 4096, part_of(votes, base))
        assert bool(sums.choose_hot()) is (partition >= 4), "five voters"
    assert {*sums.choose_hot()} == {*TOOL}


def test_it_is_as_if_all_were_one_partition() -> None:
    rng = random.Random(4)
    for _ in range(20):
        met = {p: max(1, round(900 / (1 + p))) for p in range(300)}
        votes = {who: rng.sample(range(300), rng.randint(1, 40)) for who in range(30)}
        whole = known(votes, {p: 4 * n for p, n in met.items()})
        sums = NetworkSums()
        for number in range(4):
            some = {who: each for who, each in votes.items() if who % 4 == number}
            sums.take(number, 1, 0, part_of(*known(some, met)))
        assert sums.choose_hot() == choose(*whole)


def test_of_each_partition_the_newest_counts_whatever_comes_again() -> None:
    people = dict.fromkeys(range(100), 30)
    sums = NetworkSums()
    old = part_of(*known({who: [*TOOL] for who in range(5)}, people))
    new = part_of(*known({}, people))
    assert sums.take(0, 1, 10, old)
    assert sums.choose_hot()
    assert sums.take(0, 1, 20, new._replace(base=None)), "without base: as it was told"
    assert not sums.take(0, 1, 10, old)
    assert sums.choose_hot() == []
    assert sums.take(0, 2, 5, old), "a log that begins anew"
    assert sums.choose_hot()


def test_nobody_is_hot_while_too_little_is_known() -> None:
    sums = NetworkSums()
    votes, base = known({who: [*TOOL] for who in range(5)}, dict.fromkeys(range(10), 9))
    sums.take(0, 1, 1, part_of(votes, base))
    assert base.total < 1000 * UNIT
    assert sums.choose_hot() == []
