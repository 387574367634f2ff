"""The whole story in a browser: a flood, a search, an answer, one platform let through, a release.

Kafka, worker, adapter, Redis and the console are real; each screen of it in both languages and
widths is in `tests/deploy/test_desk_pages.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from detectors.leases.gateway_rule import Ruling
from streams.wire import chain_start, encode_audit, hash_record
from tests.browser import browser, complaints, focused, violations
from tests.nodes import Broker
from tests.streams.people.desk.phone_world import PASSWORD, PhoneWorld
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def world(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhoneWorld]:
    folder = tmp_path_factory.mktemp("phone")
    with PhoneWorld(broker, folder, f"phone-{folder.name}") as running:
        yield running


@pytest.fixture
def page(world: PhoneWorld) -> Iterator[Page]:
    """A browser that reports whatever its policy blocks."""
    with browser() as started:
        context = started.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900})
        made = context.new_page()
        made.set_default_timeout(END_S * 1000)
        wrong = complaints(made)
        yield made
        assert wrong == []
        context.close()


def log_in(page: Page, world: PhoneWorld, name: str) -> None:
    page.goto(f"{world.address}/login")
    focused(page, "name")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{world.address}/")


def search(page: Page, number: str) -> bool:
    """Type a number as it comes to mind; true if there is a case."""
    focused(page, "number")
    page.keyboard.type(number)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    return "/case/" in page.url


def look(page: Page) -> None:
    """What every screen has to be."""
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    assert violations(page) == []


def test_a_caller_is_answered_helped_and_released(world: PhoneWorld, page: Page) -> None:
    world.person("li.lei", "agent")
    recipient = world.flood()
    log_in(page, world, "li.lei")
    look(page)
    typed = f"0086 {recipient[2:5]}-{recipient[5:]}"

    def case() -> bool:
        page.goto(f"{world.address}/")
        return search(page, typed)

    wait_until(case, "the index has the case", pause_s=1)
    body = page.inner_text("main")
    assert recipient[2:] not in page.content()
    assert "对来电人说" in body
    assert "银行的验证码都照常到达" in body
    assert "smsc-1" in body
    look(page)

    button = page.locator("button[value^='allow ']").first
    platform = (button.get_attribute("value") or "").removeprefix("allow ")
    assert world.ruling(recipient, platform) is Ruling.REFUSE
    page.check("#identified-own_line")
    page.fill("#reason", "等这个平台的验证码")
    with page.expect_navigation():
        button.click()
    said = page.locator(".message").inner_text()
    assert re.search("1 个网关中 1 个已执行", said), said
    assert world.ruling(recipient, platform) is not Ruling.REFUSE, "its next code arrives"
    assert world.ruling(recipient, "sig:还没见过") is Ruling.REFUSE, "and no other"
    look(page)

    page.check("#identified-called_back")
    page.fill("#reason", "用户要求")
    with page.expect_navigation():
        page.click("button[value='release 1h']")
    assert "1 个网关中 1 个已执行" in page.locator(".message").inner_text()
    wait_until(lambda: world.lease(recipient) is None, "the lease is gone at the gateway")
    assert world.ruling(recipient, "sig:还没见过") is Ruling.NO_LEASE
    assert "已解除" in page.inner_text(".chip")

    page.goto(f"{world.address}/live")
    page.wait_for_selector("#floods table")
    look(page)
    world.desk.stop()
    records = [each for each in world.audit() if each.channel == "desk"]
    assert [each.verb for each in records if each.outcome == "done"][:1] == ["login"]
    assert {"search", "view", "allow", "release"} <= {each.verb for each in records}
    assert {each.subject for each in records if each.verb == "release"} == {recipient}
    prev = chain_start(records[0].chain)
    for seq, record in enumerate(records):
        assert (record.seq, record.prev) == (seq, prev)
        prev = hash_record(encode_audit(record))
    log = world.desk.log.read_text()
    assert recipient[2:] not in log
