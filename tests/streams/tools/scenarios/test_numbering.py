"""Numbers that nobody owns: valid, plainly synthetic, and each owner's port its own."""

from __future__ import annotations

import phonenumbers
import pytest

from streams.tools.scenarios.numbering import COUNT, port, subscriber


def test_recipients_are_valid_numbers_of_one_plainly_synthetic_range() -> None:
    for index in (0, 1, 999_999, COUNT - 1):
        number = phonenumbers.parse("+" + subscriber(index))
        assert phonenumbers.is_valid_number(number)
        assert subscriber(index).startswith("861700")
    with pytest.raises(ValueError, match="index"):
        subscriber(COUNT)


def test_an_index_below_the_first_is_nobody() -> None:
    with pytest.raises(ValueError, match="index -1"):
        subscriber(-1)


def test_a_port_is_its_owner_s_and_has_sub_ports() -> None:
    variants = {port("淘宝", variant) for variant in range(10_000)}
    assert len(variants) == 10_000, "a rotation never comes round"
    assert {each[:10] for each in variants} == {port("淘宝")[:10]}
    assert port("京东")[:10] != port("淘宝")[:10]
    assert all(each.isdigit() and each.startswith("1069") for each in variants)
