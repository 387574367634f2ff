"""Builders that test_evidence.py shares with other tests."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def verdict(page: Page, folder: Path, trusted: str) -> tuple[bool, str]:
    """If the page finds a pack good, and everything that it says."""
    page.fill("#fingerprint", trusted)
    page.set_input_files("#folder", folder)
    page.click("#check")
    page.locator("#verdict.good, #verdict.part, #verdict.bad").wait_for()
    good = "NOT" not in str(page.text_content("#verdict"))
    return good, str(page.inner_text("main"))
