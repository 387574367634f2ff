"""A number in a text is found in every grouping, and what only looks like it is left."""

from __future__ import annotations

import pytest

from streams.desk.store.mentions import like, mention, mention_in_bytes, written_forms
from tests.enforce.records import RECIPIENT

TOKEN = f"hk1:{'5a' * 32}"


@pytest.mark.parametrize(
    "text",
    [RECIPIENT, "13900000001", "+86 139 0000 0001", "0086-139-0000-0001", "(139) 0000.0001",
     "139\u30000000\u20110001", "１３９　００００　０００１", f"x{RECIPIENT}y"],
)  # fmt: skip
def test_it_is_found(text: str) -> None:
    assert mention(RECIPIENT).search(text)
    assert mention_in_bytes(RECIPIENT).search(text.encode())


@pytest.mark.parametrize(
    "text", ["13900000002", "139 0000", "139, 0000 und 0001", "", "1390000x0001"]
)
def test_another_is_not(text: str) -> None:
    assert not mention(RECIPIENT).search(text)
    assert not mention_in_bytes(RECIPIENT).search(text.encode())


def test_a_token_and_a_foreign_number_have_the_forms_they_have() -> None:
    assert written_forms(TOKEN) == (TOKEN,)
    assert like(TOKEN) == (f"%{TOKEN}%",)
    assert mention(TOKEN).search(f"see {TOKEN}.")
    assert written_forms("33612345678") == ("33612345678", "612345678")
