"""Wording: every format can be filled, and codes stand in those that are codes alone."""

from __future__ import annotations

import pytest

from streams.tools.scenarios import wording
from streams.tools.scenarios.wording import CODES, read_data


@pytest.mark.parametrize("lang", CODES)
def test_every_format_of_a_code_holds_name_and_code(lang: str) -> None:
    for text in CODES[lang]:
        filled = text.format(name="Tandem", code="482913")
        assert "482913" in filled
        assert "{" not in filled


@pytest.mark.parametrize("name", ["MARKETING", "COURIER", "NOTICES", "PERSONAL"])
def test_every_other_format_can_be_filled(name: str) -> None:
    formats = getattr(wording, name)
    assert formats
    for text in formats:
        assert "{" not in text.format(name="Tandem", a=1234, b=123456, c=123456789012)


def test_shared_formats_name_the_platform_in_the_running_text() -> None:
    for text in (*wording.SHARED_CHINESE, *wording.SHARED_LATIN):
        assert "Tandem" in text.format(name="Tandem", code="482913")
        assert not text.startswith(("【", "["))


def test_a_file_that_is_not_shipped_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        read_data("absent.toml")
