"""Whatever an attacker who has read the source draws, the promises hold."""

from __future__ import annotations

import pytest

from tests.adversary.arena import play
from tests.adversary.moves import MOVES, plan
from tests.adversary.promises import broken


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("move", MOVES)
def test_one_kind_of_move_breaks_no_promise(move: str, seed: int) -> None:
    assert broken(play(plan(seed, move))) == []


@pytest.mark.parametrize("seed", range(1, 25))
def test_a_mixture_of_moves_breaks_no_promise(seed: int) -> None:
    assert broken(play(plan(seed))) == []


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_edges_of_batches_change_nothing(seed: int) -> None:
    moves = plan(seed)
    assert play(moves, batch=2048) == play(moves, batch=61)


def test_a_promise_that_is_broken_is_said() -> None:
    moves = plan(1, "burst")
    played = play(moves)
    assert broken(played) == []
    played.unseen_most, played.reached_most, played.tail_ms = 1000, 1000, 10**9
    played.own_refused, played.trusted, played.rails, played.learnt = ["sig:x"], 1, 1, 99
    assert len(broken(played)) == 7
