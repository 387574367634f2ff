"""The middle of a number is never shown."""

from __future__ import annotations

import pytest

from streams.people.desk.masks import mask_mentions, mask_recipient, whole


@pytest.mark.parametrize(
    "recipient", ["8617000012345", "15551234567", "h1:0123456789abcdef0123", "4915112345678"]
)
def test_a_mask_hides_at_least_four_characters(recipient: str) -> None:
    shown = mask_recipient(recipient).replace(" ", "").lstrip("+")
    assert "••••" in shown
    assert len(shown.replace("•", "")) <= len(recipient) - 4


def test_a_short_code_is_hidden_nearly_whole() -> None:
    assert mask_recipient("95588") == "•••• 88"


def test_a_whole_number_is_in_groups_that_can_be_read() -> None:
    assert whole("8613900000001") == "+86 139 0000 0001"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("call 139_0000_0001, please", "call {}, please"),
        ("【１３９，００００：０００１】好", "【{}】好"),
    ],
)
def test_a_number_that_somebody_writes_out_is_masked_and_the_rest_stays(
    text: str, rest: str
) -> None:
    recipient = "8613900000001"
    assert mask_mentions(text, recipient) == rest.format(mask_recipient(recipient))
