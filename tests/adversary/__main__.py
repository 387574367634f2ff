"""`python -m tests.adversary`: plays randomly drawn plans, and prints what an attacker gained by
each.
"""

from __future__ import annotations

import argparse
import sys

from tests.adversary.arena import Played, play
from tests.adversary.moves import MOVES, plan
from tests.adversary.promises import broken


def main() -> None:
    """Play the plans asked for; exit 1 if a promise did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversary", description=__doc__)
    parser.add_argument("--seeds", default="1-50", help="a number, or two with a hyphen")
    parser.add_argument("--only", default="", choices=["", *MOVES], help="one kind of move")
    parser.add_argument("--show", action="store_true", help="print every move")
    asked = parser.parse_args()
    first, _, last = asked.seeds.partition("-")
    failed = 0
    for seed in range(int(first), int(last or first) + 1):
        moves = plan(seed, asked.only)
        played = play(moves)
        wrong = broken(played)
        failed += bool(wrong)
        names = ", ".join(move.name for move in moves[1:-2])
        print(
            f"{seed:5} {names}: {_told(played)}{'  BROKEN: ' + '; '.join(wrong) if wrong else ''}",
            flush=True,
        )
        if asked.show:
            for move in moves:
                print(f"      {move.name}: {move.told}")
    print(f"{failed} of {int(last or first) - int(first) + 1} plans broke a promise")
    sys.exit(bool(failed))


def _told(played: Played) -> str:
    return (
        f"{played.codes} codes, {played.reached} reached her, {played.reached_most} in 10 min, "
        f"{played.unseen_most} an hour unseen, lease {played.tail_ms // 60_000} min longer, "
        f"{played.watched} episodes, {played.throttled} throttled, "
        f"{played.dead_letters} dead letters"
    )


if __name__ == "__main__":
    main()
