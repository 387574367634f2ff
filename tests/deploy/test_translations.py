"""Pages in Chinese say what the English ones beside them say: commands, alerts, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.builders.streams.common.language import NEVER

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGES = sorted(DEPLOY.rglob("*.zh.md"))


def english(page: Path) -> str:
    """The page that it translates; the guide's also tells the first half of the README."""
    beside = page.with_name(page.name.replace(".zh.md", ".md"))
    more = [DEPLOY.parent / "README.md"] if beside == DEPLOY / "README.md" else []
    return "\n".join(each.read_text(encoding="utf-8") for each in [beside, *more])


def commands(text: str) -> set[str]:
    """The commands in fenced blocks, without comments, one a line."""
    blocks = "\n".join(re.findall(r"^```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    lines = re.sub(r"\\\n\s*", "", blocks).splitlines()
    return {" ".join(re.sub(r"(^|\s)#.*", "", line).split()) for line in lines} - {""}


def test_there_is_a_page_for_operators_the_hotline_alarms_and_each_role() -> None:
    assert [page.relative_to(DEPLOY).as_posix() for page in PAGES] == [
        "README.zh.md", "desk/README.zh.md", "evidence.zh.md", "gateways/gate.zh.md",
        "hotline.zh.md", "notices.zh.md",
        "runbooks/README.zh.md", "signal.zh.md", "site/pages/index.zh.md",
        "site/pages/roles/agent.zh.md", "site/pages/roles/bank.zh.md",
        "site/pages/roles/engineer.zh.md", "site/pages/roles/noc.zh.md",
        "site/pages/roles/police.zh.md", "store.zh.md",
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_holds_no_command_that_the_english_one_does_not_hold(page: Path) -> None:
    given = commands(page.read_text(encoding="utf-8"))
    assert given - commands(english(page)) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_leads_somewhere_and_keeps_to_the_glossary(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []
    assert page.name.replace(".zh.md", ".md") in links, "the English page is named"
    assert [word for word in NEVER if word in text] == []


def rows(page: Path) -> dict[str, str]:
    """Alert and severity of each row of the table of runbooks."""
    found = re.findall(
        r"^\| \[(\w+)\]\(\w+\.md\) \| ([a-z, ]+) \|", page.read_text("utf-8"), re.MULTILINE
    )
    return dict(found)


def test_every_alert_is_summed_up_with_its_severity() -> None:
    assert rows(DEPLOY / "runbooks/README.zh.md") == rows(DEPLOY / "runbooks/README.md")
    assert len(rows(DEPLOY / "runbooks/README.md")) > 20
