"""A real browser for tests: Debian's Chromium, driven by Playwright. Nothing is downloaded or
sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.enforce.services import need
from tests.waiting import wait_until

QUIET: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--disable-component-update", "--disable-sync")  # fmt: skip
"""Root has no sandbox to offer; the rest keeps the browser off the network."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Start it. Where it is missing the test is skipped, and in CI it fails."""
    program = need("chromium", "chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        try:
            yield started
        finally:
            started.close()


def violations(page: Page) -> list[str]:
    """What axe finds, best practices included: rule and element."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "it looked at something"
    return [f"{v['id']}: {node['html'][:120]}" for v in found["violations"] for node in v["nodes"]]


def complaints(page: Page) -> list[str]:
    """What the page's console is told to complain of from now on, errors and blocked parts."""
    found: list[str] = []

    def console(message: Any) -> None:
        if message.type == "error":
            found.append(message.text)

    def error(raised: Any) -> None:
        found.append(str(raised))

    page.on("console", console)
    page.on("pageerror", error)
    return found


def focused(page: Page, name: str) -> None:
    """Wait until the element of this id has the focus by itself: before that, keys are lost."""
    # Not by `wait_for_function`, which evaluates in the page, where a strict policy forbids it.
    wait_until(lambda: page.evaluate("document.activeElement.id") == name, f"{name} has the focus")
