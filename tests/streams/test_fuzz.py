"""The long form of every fuzz of bytes and files: the same properties for minutes."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

from tests.builders.streams.wire.bytes import DECODERS
from tests.streams.engine.state import test_checkpoint_bytes
from tests.streams.engine.transport import test_decompress
from tests.streams.gateways.feeds import test_file_records as test_rows
from tests.streams.wire import test_bytes, test_layout, test_record_batch

SECONDS_VARIABLE = "OTPGUARD_SOAK_S"
MODULES = (
    test_bytes, test_layout, test_checkpoint_bytes, test_record_batch, test_decompress, test_rows,
)  # fmt: skip


def properties(module: ModuleType) -> Iterator[tuple[Callable[..., None], dict[str, Any]]]:
    """Each property of a module, once with each argument that it is parametrised with."""
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if not getattr(test, "is_hypothesis_test", False):
            continue
        assert name.startswith("test_")
        marks = [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"]
        if not marks:
            yield test, {}
        for mark in marks:
            for value in mark.args[1]:
                yield test, {mark.args[0]: value}


ALL = [each for module in MODULES for each in properties(module)]


def test_there_is_a_fuzz_of_every_kind_of_bytes_that_comes_from_outside() -> None:
    assert {test.__module__ for test, _ in ALL} == {module.__name__ for module in MODULES}
    assert {given["topic"] for _, given in ALL if "topic" in given} == set(DECODERS)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("test", "given"), ALL, ids=[f"{t.__name__}-{'-'.join(map(str, g.values()))}" for t, g in ALL]
)
def test_example_after_example(test: Callable[..., None], given: dict[str, Any]) -> None:
    """Together they take as long as any other soak; each call draws examples of its own."""
    assert settings.get_current_profile_name() != "ci", (
        "with CI set the examples are the same each time"
    )
    deadline = time.monotonic() + float(os.environ.get(SECONDS_VARIABLE, "600")) / len(ALL)
    while True:
        test(**given)
        if time.monotonic() > deadline:
            return
