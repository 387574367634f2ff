"""Whatever an attacker who has read the source draws, the promises hold.

`make test` plays each move once, eight mixtures and the edges of batches in two; the other draws
are half a minute of computing, in `make integration`.
"""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet

from tests.adversary.arena import play
from tests.adversary.moves import MOVES, plan
from tests.adversary.promises import broken


def seeds(last: int, last_soon: int) -> list[ParameterSet]:
    """Seeds from 1 on as parameters of a test; those after `last_soon` for `make integration`."""
    later = pytest.mark.integration
    return [pytest.param(n, marks=later if n > last_soon else ()) for n in range(1, last + 1)]


@pytest.mark.parametrize("seed", seeds(3, 1))
@pytest.mark.parametrize("move", MOVES)
def test_one_kind_of_move_breaks_no_promise(move: str, seed: int) -> None:
    assert broken(play(plan(seed, move))) == []


@pytest.mark.parametrize("seed", seeds(24, 8))
def test_a_mixture_of_moves_breaks_no_promise(seed: int) -> None:
    assert broken(play(plan(seed))) == []


@pytest.mark.parametrize("seed", seeds(6, 2))
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
