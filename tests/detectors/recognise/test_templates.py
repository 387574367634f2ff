"""Cache keys: one for all messages of a template, whatever the column is made of."""

from __future__ import annotations

from hypothesis import given, strategies as st

from detectors.model.strings import StringBuffer, StringList
from detectors.recognise.rules.reading import excerpt
from detectors.recognise.templates import mask_text, mask_texts, number_templates, unmask_kinds
from detectors.recognise.text.fold import mask
from tests.builders.detectors.recognise.recognise_cache import TEXTS


@given(st.lists(TEXTS, max_size=6))
def test_a_column_has_the_keys_of_its_texts(texts: list[str]) -> None:
    kinds = list(range(len(texts)))
    keys = [mask_text(text, kind) for text, kind in zip(texts, kinds, strict=True)]
    assert mask_texts(StringList(texts), kinds) == keys
    assert mask_texts(StringBuffer.of(StringList(texts)), kinds) == keys
    assert unmask_kinds(keys) == [mask(excerpt(text)) for text in texts]


def test_digits_do_not_matter_and_kinds_of_senders_do() -> None:
    assert mask_text("code 4829", 1) == mask_text("code 7711", 1) != mask_text("code 7711", 2)


def test_only_texts_of_unnamed_numbers_have_a_template_number() -> None:
    keys = [mask_text(text, 0) for text in ("code 4829", "code 7711", "pin 4829", "")]
    page = number_templates(keys, {0: "from:1069", 1: "from:1070", 2: "from:acme", 3: "from:1"})
    assert page is not None
    assert page[0] == page[1] != 0
    assert page[2:].tolist() == [0, 0]
    assert number_templates(keys, {}) is None
