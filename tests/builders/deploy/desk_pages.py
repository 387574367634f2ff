"""The screens that test_desk_pages.py makes, and that the site shows."""

from __future__ import annotations

from typing import Final

from tests.enforce.services import CACHE

WIDTHS: Final = (360, 1280)
LOCALES: Final = ("zh-CN", "en-GB")
PICTURES: Final = CACHE / "desk"
ON_SITE: Final = {"case": ("li.lei", 900), "live": ("han.mei", 760)}
"""Screens of the site: who sees them, and the height in pixels. Their names end in -zh.png."""
SCREENS: Final = (
    ("li.lei", "search"), ("li.lei", "case"), ("li.lei", "nothing"), ("li.lei", "done"),
    ("li.lei", "refused"), ("li.lei", "account"), ("li.lei", "help"), ("li.lei", "live"),
    ("li.lei", "mine"), ("han.mei", "shift"), ("han.mei", "digits"),
    ("han.mei", "live?state=lapsed"), ("zheng.ju", "case"),
    ("han.mei", "live"), ("han.mei", "unmasked"), ("han.mei", "proposals"),
    ("fen.xi", "campaigns"), ("fen.xi", "platforms"), ("zhao", "proposals"),
    ("shen.ji", "audit"), ("root", "users"), ("root", "health"),
)  # fmt: skip
