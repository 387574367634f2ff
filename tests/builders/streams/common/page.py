"""Colours of `streams.common.page.PALETTE` by use: for text, behind text, and for shapes."""

from typing import Final

WORDS: Final = ("ink", "muted", "watch", "throttle", "good", "known", "new")
GROUNDS: Final = ("paper", "page", "watch_tint", "throttle_tint", "good_tint")
SHAPES: Final = ("watch", "throttle", "good", "known", "new", "pale")
