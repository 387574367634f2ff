"""Trees of sources are made whole, whatever is collected meanwhile."""

from __future__ import annotations

import ast
import gc

from tests import syntax


class Complains:
    """Makes a tree of its own where it is collected, as a traceback in a log does."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("(a + b) * c")


def test_a_tree_is_made_whole_whatever_is_collected_meanwhile() -> None:
    text = "\n".join(f"x{number} = [{number}, (1, 2)]" for number in range(300))
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(20):
            Complains()
            assert len(syntax.parsed(f"{text}\ny = {number}").body) == 301
    finally:
        gc.set_threshold(*thresholds)
        syntax.forget()
    assert gc.isenabled()
