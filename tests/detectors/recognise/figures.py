"""Measures recognition on held-out texts, with intervals, and the calibration of confidences.

python -m tests.detectors.recognise.figures          the blind quarter of the hands' texts
python -m tests.detectors.recognise.figures names    invented names alone, both parts
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from typing import Final

from detectors.recognise.decide import Verdict, recognise
from detectors.recognise.platform.keys import current_key
from detectors.recognise.platform.registry import Registry
from tests.detectors.recognise.corpus import NAMES, Row, everywhere, files, read

NAMED: Final = frozenset("zh en ja ko ru es pt fr de it vi th id tr ar fa he hi".split())  # noqa: SIM905
"""The languages of `words.toml`."""
BANDS: Final = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.01)

WIDTH: Final = 50
"""Characters of a reliability diagram."""

_Asked = tuple[Row, Verdict]


def interval(right: int, of: int) -> str:
    """A share with its Wilson interval of 95 %."""
    if not of:
        return "none"
    first, last = limits(right, of)
    return f"{right} of {of}: {right / of:.1%} ({first:.1%}-{last:.1%})"


def told(rows: Sequence[Row], registry: Registry) -> list[_Asked]:
    """Each row with its verdict."""
    return [
        (row, recognise(registry, row.text, row.sender, row.signature, row.category))
        for row in rows
    ]


def platform_right(registry: Registry, row: Row, verdict: Verdict) -> bool:
    """Whether the platform is the one that the label names, by the registry's name or its own."""
    label = row.platform or ""
    owners = registry.sender(row.sender).owners
    by_port = (
        owners and not label.startswith("text:") and verdict.platform == f"sig:{owners[0].key}"
    )
    return bool(by_port) or verdict.platform == current_key(registry, label)


def limits(right: int, of: int) -> tuple[float, float]:
    """The Wilson interval of 95 % of a share."""
    share, z = right / of, 1.96
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return middle - half, middle + half


def picture(asked: Sequence[_Asked]) -> list[str]:
    """A reliability diagram in letters: for each band of confidences what is told and what is so.

    A confidence is one where the + lies between the ends of the interval.
    """
    lines = []
    for low, high in pairwise(BANDS):
        band = [each for each in asked if low <= each[1].confidence < high]
        if not band:
            continue
        right = sum(row.otp for row, _ in band)
        told_ = sum(verdict.confidence for _, verdict in band) / len(band)
        first, last = limits(right, len(band))
        cells = [" "] * (WIDTH + 1)
        for at in range(round(first * WIDTH), round(last * WIDTH) + 1):
            cells[at] = "="
        cells[round(right / len(band) * WIDTH)] = "|"
        cells[round(told_ * WIDTH)] = "+"
        name = f"{low:.2f}-{min(high, 1):.2f} n {len(band):4d}"
        lines.append(f"{name} [{''.join(cells)}] {told_:.2f} told, {right / len(band):.2f} found")
    return lines


def naming(registry: Registry, rows: Sequence[Row]) -> Counter[str]:
    """How many texts get the right name of a platform, a wrong one, or none.

    All are taken for codes, of a sender that many share. `invented`: nobody is named, yet the
    text gets a name; `silent`: nobody is named, and it gets none.
    """
    counts: Counter[str] = Counter()
    for row in rows:
        verdict = recognise(registry, row.text, "AUTHMSG", category="otp")
        told_ = not verdict.platform.startswith("from:")
        if row.platform is None:
            counts["invented" if told_ else "silent"] += 1
        elif platform_right(registry, row, verdict):
            counts["right"] += 1
        else:
            counts["wrong" if told_ else "none"] += 1
    return counts


def print_naming(registry: Registry) -> None:
    """Prints the shares of `naming`, of the open and of the blind part."""
    for path in sorted(NAMES.glob("*.jsonl")):
        counts = naming(registry, list(read(path)))
        named = counts["right"] + counts["wrong"] + counts["none"]
        print(f"{path.stem}: right {interval(counts['right'], named)}")
        print(f"  wrong {interval(counts['wrong'], named)}, none {counts['none']}")
        nobody = counts["invented"] + counts["silent"]
        print(f"  named though they name nobody {interval(counts['invented'], nobody)}")


def main() -> None:
    """The command."""
    registry = everywhere()
    if "names" in sys.argv[1:]:
        print_naming(registry)
        return
    rows = [
        row
        for path in files(kept_back=True)
        if path.name.endswith(".blind.jsonl")
        for row in read(path)
    ]
    asked = told(rows, registry)

    def line(name: str, chosen: Callable[[Row], bool]) -> None:
        picked = [(row, verdict) for row, verdict in asked if chosen(row)]
        right = sum(verdict.otp == row.otp for row, verdict in picked)
        print(f"{name}: {interval(right, len(picked))}")

    hidden = ("evasion", "link")
    line("all", lambda row: bool(row.text))
    line("codes", lambda row: row.otp)
    line("codes, neither hidden nor links", lambda row: row.otp and row.kind not in hidden)
    for name, named in (("named languages", True), ("other languages", False)):
        line(
            f"codes, neither hidden nor links, {name}",
            lambda row, named=named: (  # type: ignore[misc]
                row.otp and row.kind not in hidden and (row.lang.split("-")[0] in NAMED) == named
            ),
        )
    line("look-alikes", lambda row: not row.otp)
    line("spam and chat", lambda row: row.kind in ("spam", "chat", "marketing"))
    for kind in sorted({row.kind for row in rows}):
        line(f"  {kind}", lambda row, kind=kind: row.kind == kind)  # type: ignore[misc]
    for lang in sorted({row.lang for row in rows}):
        line(f"  {lang}", lambda row, lang=lang: row.lang == lang)  # type: ignore[misc]
    named_in_text = [each for each in asked if (each[0].platform or "").startswith("text:")]
    right = sum(platform_right(registry, *each) for each in named_in_text if each[1].otp)
    print(f"platform in the text: {interval(right, sum(v.otp for _, v in named_in_text))}")
    print_naming(registry)
    print("confidence: told (+), found (|) with its interval (=)")
    for line_ in picture(asked):
        print(line_)


if __name__ == "__main__":
    main()
