"""A run put together: who is masked, what is counted, and the bars of the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streams.config import load
from streams.tools.demo.play import Record
from streams.tools.demo.run import PARTITIONS, SETTINGS, _changes, masked_digits, masked_number
from tests.streams.tools.demo.rehearsal import rehearse


def test_the_settings_of_the_demo_are_settings(tmp_path: Path) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text(
        SETTINGS.format(bootstrap="127.0.0.1:9", partitions=PARTITIONS, port=9, folder=tmp_path)
    )
    settings = load(path)
    assert (settings.mode, settings.topics.partitions) == ("enforce", PARTITIONS)
    assert settings.worker.data_dir == tmp_path


def test_a_renewal_is_no_change_of_level() -> None:
    def episode(change: str, revision: int) -> dict[str, object]:
        return {
            "change": change, "revision": revision, "level": "watch", "at_ms": revision,
            "cause": {"partition": 1, "offset": revision},
            "reason": {"rule": "burst", "score": 2.0, "threshold": 1.6, "text": "so"},
        }  # fmt: skip

    record = Record(episodes=[episode("raised", 9), episode("renewed", 8), episode("opened", 7)])
    assert [change.event_time_ms for change in _changes(record)] == [7, 9]


def test_a_story_of_a_run_names_nobody_and_holds_no_digit_of_a_code() -> None:
    story = rehearse(seed=2, subscribers=300)
    assert "•" in story.victim
    assert not any(letter.isdigit() for message in story.messages for letter in message.text)
    assert story.background.messages > story.background.codes > 0
    assert replace(story) == rehearse(seed=2, subscribers=300), "a seed decides all"


@pytest.mark.parametrize(("text", "masked"), [("a 4829", "a ••••"), ("١٢", "••"), ("x", "x")])
def test_every_digit_is_masked(text: str, masked: str) -> None:
    assert masked_digits(text) == masked
    assert masked_number("8617009999999") == "+86 170 •••• 9999"
