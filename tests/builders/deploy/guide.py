"""Builders that test_guide.py shares with other tests."""

from __future__ import annotations

import re

from tests.deploy.tools import ROOT


def section() -> str:
    """The part of the guide that is about systemd."""
    text = (ROOT / "deploy" / "README.md").read_text("utf-8")
    (found,) = re.findall(r"\n## On a machine with systemd\n(.*?)\n## ", text, re.DOTALL)
    return str(found)


def blocks(language: str) -> list[str]:
    """The blocks of a language in it, in order."""
    return re.findall(rf"```{language}\n(.*?)```", section(), re.DOTALL)
