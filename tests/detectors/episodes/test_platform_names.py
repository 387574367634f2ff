"""Names of platforms: which are trusted, whatever came and went, and that a state comes back."""

from __future__ import annotations

from random import Random

from detectors.episodes.platform_names import Name, Names, StoredNames
from detectors.model.event import Trust
from detectors.model.fields import reader, writer


def test_what_is_trusted_is_known_whatever_was_set_and_deleted() -> None:
    names, rng = Names(), Random(1)
    for _ in range(500):
        platform = rng.randrange(20)
        if platform in names and rng.random() < 0.4:
            del names[platform]
        else:
            names[platform] = Name(f"sig:{platform}", rng.choice([*Trust]), 7)
        assert names.trusted == {p for p, name in names.items() if name.trust is not Trust.NONE}
    again = reader(StoredNames)(writer(StoredNames)(names))
    assert again == names
    assert [*again] == [*names]
    assert again.trusted == names.trusted
