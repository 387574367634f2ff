"""An evaluation in pieces adds up to what it is in one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.scenarios.__main__ import tables_of, total
from tests.scenarios.evaluate import ATTACKS, ORDINARY, ROWS, Part, Row, parts_of
from tests.scenarios.parts import Kept, play_parts
from tests.scenarios.targets import TARGETS, compared

ROW = Row("A11", "A11", 12, part=5)


def test_parts_cover_every_run_once() -> None:
    for row in ROWS:
        for scale in (0.003, 1.0):
            parts = parts_of(row, scale)
            runs = [(part.first, part.first + part.runs) for part in parts]
            assert runs[0][0] == 0
            assert all(end == first for (_, end), (first, _) in pairwise(runs))
            assert runs[-1][1] == max(1, round(row.runs * scale))
            assert all(part.runs <= row.part for part in parts)


def test_a_run_that_was_stopped_goes_on_and_adds_up(tmp_path: Path) -> None:
    kept, parts = Kept(tmp_path), parts_of(ROW, 1)
    there: list[Part] = []
    assert play_parts(parts, kept, jobs=1, seconds=0, done=there.append) == parts
    assert there == []
    first = parts[0]
    kept.write(first, first.play())
    assert play_parts(parts, kept, jobs=2, seconds=60, done=there.append) == []
    assert there[0] == first
    assert sorted(there, key=lambda part: part.first) == parts
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert play_parts(parts, kept, jobs=1, seconds=60, done=lambda _: None) == []
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    summed = total(map(kept.read, parts))
    apart = total(part.play() for part in parts)
    assert summed == apart
    assert summed.recipients == 12


def test_figures_of_another_version_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, (part, *_) = Kept(tmp_path), parts_of(ROW, 1)
    kept.write(part, part.play())
    assert kept.read(part) is not None
    monkeypatch.setattr("tests.scenarios.parts.version", lambda: "another")
    assert kept.read(part) is None


def test_a_target_that_was_not_reached_is_said() -> None:
    (row,) = (row for row in ATTACKS if row.label == "A2 burst")
    figures = Part(row, 0, 2).play()
    lines = {str(line["target"]): line for line in compared({row.label: figures})}
    assert all(line["reached"] == "yes" for line in lines.values())
    figures.throttle.clear()
    lines = {str(line["target"]): line for line in compared({row.label: figures})}
    assert lines[f"{row.label}: median minutes to THROTTLE"]["reached"] == "NO"


def test_every_target_names_rows_that_there_are() -> None:
    labels = {row.label for row in ROWS}
    assert all(set(target.needs) <= labels for target in TARGETS)
    assert ORDINARY.label in {need for target in TARGETS for need in target.needs}


def test_the_sum_of_false_alarms_is_shown_only_where_every_class_was_played() -> None:
    figures = {ORDINARY.label: Part(ORDINARY, 0, 1000).play()}
    (line,) = tables_of([ORDINARY], figures)["false_alarms"]
    assert line["class"] == ORDINARY.label
    assert line["THROTTLE"] == 0
