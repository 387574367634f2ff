"""Faults of a value: the first one is told."""

from __future__ import annotations

import pytest

from streams.common.errors import refuse_faults


def test_the_first_fault_that_is_there_is_raised() -> None:
    with pytest.raises(ValueError, match=r"^second$"):
        refuse_faults({"first": False, "second": True, "third": True})


def test_without_a_fault_nothing_is_raised() -> None:
    refuse_faults({})
    refuse_faults({"first": False})
