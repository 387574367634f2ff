"""Builders that test_result.py shares with other tests."""

from __future__ import annotations

from typing import Any

from streams.tools.calibrate.result import (
    Result,
)
from streams.tools.calibrate.survey import Survey


def result_of(survey: Survey, **fields: Any) -> Result:
    rest: dict[str, Any] = {
        "subscribers": None, "judged": frozenset(), "changes": [], "proposed": None,
    }  # fmt: skip
    return Result("a file", survey, **{**rest, **fields})
