"""Verdicts of a batch: names by position, and parts of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detectors.model.codes import Codes


def codes_of(keys: list[str], *, exact: bool) -> Codes:
    """Verdicts on one event for each key; ids are the lengths of keys, so some are shared."""
    ids = np.array([len(key) for key in keys], np.uint32)
    return Codes(
        ids > 0,
        ids,
        np.zeros(len(keys), np.uint8),
        np.ones(len(keys), np.float32),
        {len(key): key for key in keys if key},
        np.arange(len(keys), dtype=np.uint16) if exact else None,
        keys.__getitem__ if exact else None,
    )


def test_a_name_is_that_of_the_very_event_where_keys_share_an_id() -> None:
    keys = ["sig:a", "sig:b", "sig:cd"]
    assert [codes_of(keys, exact=True).name(i) for i in range(3)] == keys
    shared = codes_of(keys, exact=False)
    assert [shared.name(i) for i in range(3)] == ["sig:b", "sig:b", "sig:cd"]


def test_an_id_without_a_name_is_told_by_its_number() -> None:
    known = codes_of(["sig:a"], exact=False)
    nameless = Codes(known.otp, known.platform, known.trust, known.confidence, {})
    assert nameless.name(0) == "#5"


def test_a_part_has_the_verdicts_of_its_events_and_counts_positions_anew() -> None:
    keys = ["sig:a", "", "sig:bcd", "sig:ef"]
    part = codes_of(keys, exact=True).part(2, 4)
    assert part.otp.tolist() == [True, True]
    assert part.platform.tolist() == [7, 6]
    assert part.check is not None
    assert part.check.tolist() == [2, 3]
    assert [part.name(0), part.name(1)] == ["sig:bcd", "sig:ef"]
    assert part.part(1, 2).name(0) == "sig:ef", "also of a part of a part"
    assert codes_of(keys, exact=False).part(1, 2).check is None
    assert part.page is None
    pages = replace(codes_of(keys, exact=True), page=np.array([4, 0, 5, 6], np.uint32))
    told = pages.part(2, 4).page
    assert told is not None
    assert told.tolist() == [5, 6]
