"""What a page may ask of a visit."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from streams.people.desk.rights import DeskRight
from streams.people.desk.visit import RefusedError, Visit


def test_whoever_is_not_in_may_do_nothing() -> None:
    visit = Visit(HTTPConnection({"type": "http"}), None, "", "", "127.0.0.1")
    assert not any(map(visit.may, DeskRight))
    with pytest.raises(AssertionError):
        _ = visit.person


def test_a_field_is_trimmed_and_cut_and_a_missing_one_is_empty() -> None:
    visit = Visit(HTTPConnection({"type": "http"}), None, "", "", "", {"a": "  some words  "})
    assert (visit.read_field("a"), visit.read_field("a", 4), visit.read_field("b")) == (
        "some words",
        "some",
        "",
    )


def test_a_refusal_says_its_sentence() -> None:
    error = RefusedError(429, "too many", wait_s=7)
    assert (str(error), error.status, error.wait_s) == ("too many", 429, 7)
