"""A story: what it counts, and the claims that it is held to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.tools.demo.story import (
    claims,
)
from streams.tools.scenarios.labelled_events import Role
from tests.builders.streams.tools.demo.story import MACHINERY, MESSAGES, OTHERS, STORY, message


def test_a_story_counts_its_messages_by_what_they_are() -> None:
    assert STORY.started_ms == 2
    assert len(STORY.codes) == 4
    assert len(STORY.list_refused(Role.ATTACK, Role.BANK)) == 1
    assert STORY.flood_until(2) == 1
    assert STORY.flood_until(3) == 2


def test_the_first_change_of_a_level_is_told_and_none_where_there_was_none() -> None:
    change = STORY.change("THROTTLE")
    assert change is not None
    assert change.event_time_ms == 3
    assert STORY.change("CLEAR") is None


def test_the_rate_of_everybody_else_is_a_mean() -> None:
    assert OTHERS.per_minute == 20.0


def test_a_run_as_promised_keeps_every_claim() -> None:
    assert [claim.text for claim in claims(STORY) if not claim.true] == []


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"changes": []}, "the flood was throttled"),
        ({"messages": [m for m in MESSAGES if not m.is_refused]}, "the flood was throttled"),
        ({"messages": [m for m in MESSAGES if m.role is not Role.BANK]}, "the bank's codes"),
        ({"messages": [*MESSAGES, message(6, Role.KNOWN, refused=True)]}, "no code of a known"),
        ({"messages": [*MESSAGES, message(6, Role.OTHER, refused=True, code=False)]},
         "nothing but codes"),
        ({"messages": [*MESSAGES, message(6, Role.NEW, refused=True),
                       message(9, Role.NEW, refused=True)]}, "a code of a platform new"),
        ({"background": replace(OTHERS, refused=1)}, "nobody else was touched"),
        ({"machinery": replace(MACHINERY, counted=9)}, "every message was counted once"),
        ({"machinery": replace(MACHINERY, dead_letters=1)}, "every message was counted once"),
    ],
)  # fmt: skip
def test_a_claim_that_did_not_come_true_is_the_one_that_says_so(
    change: dict[str, Any], broken: str
) -> None:
    (claim,) = (claim for claim in claims(replace(STORY, **change)) if not claim.true)
    assert claim.text.startswith(broken)
