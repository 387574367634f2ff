"""Colours of `streams.common.page.PALETTE` by use: for text, behind text, and for shapes."""

from typing import Final

WORDS: Final = ("ink", "muted", "watch", "throttle", "good", "known", "new")
GROUNDS: Final = ("paper", "page", "watch_tint", "throttle_tint", "good_tint")
SHAPES: Final = ("watch", "throttle", "good", "known", "new", "pale")


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours as defined by WCAG 2: 1 to 21.

    >>> contrast("#000000", "#ffffff"), round(contrast("#767676", "#ffffff"), 2)
    (21.0, 4.54)
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour "#rrggbb"."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
