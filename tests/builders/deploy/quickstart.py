"""Builders that test_quickstart.py shares with other tests."""

from __future__ import annotations

import re

from tests.deploy.tools import ROOT


def blocks(page: str = "README.md") -> dict[str, list[str]]:
    """Section -> the commands of its block, one a line, as they are written."""
    text = (ROOT / page).read_text("utf-8")
    found = {
        name: [line for line in block.splitlines() if line and not line.startswith("#")]
        for name, block in re.findall(
            r"^## ([^\n]+)\n(?:(?!^## ).)*?^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL
        )
    }
    if page == "README.md":
        assert len(found) == text.count("\n```sh\n"), "two blocks are in one section"
    return found


def commands() -> list[str]:
    """The commands of the quickstart."""
    (quick,) = [lines for name, lines in blocks().items() if name.startswith("Quickstart")]
    return quick
