"""Types of a checkpoint's state: what is written has them, and little else does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors import chain
from detectors.model.fields import stored_names
from detectors.suspects.suspect import Episode, Suspect
from streams.engine.state.written import check_types
from tests.builders.detectors.chain import ENFORCE, history
from tests.builders.detectors.episodes.incident_log import long_flood
from tests.detectors.stand_in import run
from tests.detectors.streams import random_stream

PARAMS = chain.Params()


def state(seed: int) -> dict[str, Any]:
    """The state beside the rows as it comes from a changelog."""
    events, offsets = random_stream(seed)
    partition = chain.Partition(PARAMS)
    run(PARAMS, events, partition, offsets=offsets)
    rest = chain.snapshot(partition).rest
    told: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(rest))
    return told


def test_what_is_written_has_its_types_and_says_the_same() -> None:
    suspects = 0
    for seed in range(6):
        rest = state(seed)
        suspects += len(rest["suspects"])
        again = msgspec.msgpack.encode(check_types(rest))
        assert msgspec.msgpack.decode(again) == rest
    assert suspects > 10


def test_what_waits_to_be_told_of_a_flood_has_its_types_and_comes_back() -> None:
    partition = chain.Partition(ENFORCE)
    run(ENFORCE, [*history(), *long_flood(50)], partition)
    rest = msgspec.msgpack.decode(msgspec.msgpack.encode(chain.snapshot(partition).rest))
    ((*held,),) = rest["suspects"]
    names = stored_names(Suspect)
    assert held[names.index("places")]
    episode = held[names.index("episode")]
    incident = episode[stored_names(Episode).index("incident")]
    assert incident[-1], "messages wait"
    again = msgspec.msgpack.encode(check_types(rest))
    assert msgspec.msgpack.decode(again) == rest
    incident[-1][0][0] = "7"
    with pytest.raises(ValueError, match="suspects"):
        check_types(rest)


@pytest.mark.parametrize("wrong", [-1, 2**32, "7", None, 0.5, []])
def test_a_value_of_another_type_or_range_is_refused(wrong: object) -> None:
    rest = state(0)
    rest["names"][0][0] = wrong
    with pytest.raises(ValueError, match="names"):
        check_types(rest)


def test_a_checkpoint_from_before_memory_records_has_no_recycled_numbers() -> None:
    rest = chain.snapshot(chain.Partition(chain.Params())).rest
    del rest["recycled"]
    assert check_types(rest)["recycled"] == []
