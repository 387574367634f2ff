"""Every screen of the desk as people have it: languages, widths, dark, paper, keyboard alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Route

from streams.cases.store.roles import DeskRole
from streams.common.rate_limits import RateLimit
from streams.tools.operate.local_checks import Check
from tests.browser import browser, complaints, focused, violations
from tests.builders.deploy.desk_pages import LOCALES, ON_SITE, PICTURES, SCREENS, WIDTHS
from tests.enforce.records import override
from tests.streams.cases.store.filled import audited, fill, flood
from tests.streams.people.desk.served import served
from tests.streams.people.desk.world import PASSWORD, World, busy
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.integration

AFTER_MIDNIGHT_MS: Final = 1_764_346_800_000
"""20 minutes into 29 November 2025 where the desk is: a flood of two days has the longest times."""

CLIPBOARD: Final = ("clipboard-read", "clipboard-write")
NUMBER: Final = "0086 170-0000 0001"
PEOPLE: Final = {
    "li.lei": (DeskRole.AGENT,), "han.mei": (DeskRole.LEAD,), "zhao": (DeskRole.APPROVER,),
    "shen.ji": (DeskRole.AUDITOR,), "root": (DeskRole.ADMIN,), "fen.xi": (DeskRole.ANALYST,),
    "zheng.ju": (DeskRole.EVIDENCE,),
}  # fmt: skip


CHECKS: Final = (
    Check("store", "ok", "sqlite:///desk.db：落后主题 2 秒"),
    Check("certificates", "warn", "/etc/otpguard/client.pem: the certificate ends in 9 days",
          "renew it; the process reads it at its start"),
    Check("broker", "ok", "Kafka 4.3 at kafka-1:9092"),
    Check("lag", "ok", "4 workers, 1,204 events are not in a checkpoint yet, partition 17: 640"),
    Check("gateways", "warn", "smsc-1: leases as of 3 s ago, smsc-2 stopped", "start it again"),
    Check("dead letters", "bad", "412 in the last hour", "see why: otpguard dlq ls"),
    Check("rights", "unknown", "there are no topics to have rights on"),
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served(tmp_path_factory.mktemp("desk"), wide=True, acts_per_h=10_000,
                searches_per_min=10_000, unmasks_per_h=10_000) as running:  # fmt: skip
        busy(running, AFTER_MIDNIGHT_MS)
        running.desk.limits["logins"] = RateLimit(10_000, 1)  # the clock stands
        fill(running.store, *audited(
            *({"verb": verb, "subject": "8617000000001", "reason": "等验证码", "ticket": "T-7",
               "at_ms": running.store.at_ms}
              for verb in ("search", "view", "allow", "release"))))  # fmt: skip
        for name, roles in PEOPLE.items():
            running.store.accounts.add(name, roles, password=PASSWORD, shown_name=name)
        before_ms = AFTER_MIDNIGHT_MS - 2 * 86_400_000
        fill(running.store, *flood(30, recipient="8618100000001", at_ms=before_ms))
        case = running.store.find("8617000000001").newest
        assert case is not None
        about = {"recipient": case.line.recipient, "episode_id": case.line.episode_id}
        running.store.papers.hand_over("wang.fang", "role agent", "她等验证码", **about)
        running.store.papers.add_call("li.lei", **about, identified_by="own_line", ticket="T-7",
                                      same_caller=True, outcome="release")  # fmt: skip
        running.desk.examine = lambda whole: CHECKS if whole else CHECKS[:2]
        running.store.papers.propose("wang.fang", "mode", b"{}", "mode off", "reason", "T-1")
        yield running


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as started:
        yield started


@contextmanager
def inside(
    opened: Browser,
    world: World,
    name: str,
    locale: str,
    width: int,
    *,
    expected: tuple[str, ...] = ("403",),
    **more: Any,
) -> Iterator[Page]:
    """A page of somebody who has logged in; nothing else may be blocked or fail on it."""
    context = opened.new_context(locale=locale, viewport={"width": width, "height": 800}, **more)
    page = context.new_page()
    page.set_default_timeout(END_S * 1000)
    wrong = complaints(page)
    page.goto(f"{world.place.url}/login")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    yield page
    assert [each for each in wrong if not any(part in each for part in expected)] == []
    context.close()


def go(page: Page, world: World, screen: str) -> None:
    """Come to a screen as a person does."""
    base = world.place.url
    if screen in ("case", "done", "unmasked", "nothing"):
        page.goto(f"{base}/")
        focused(page, "number")
        page.keyboard.type("139 1111 2222" if screen == "nothing" else NUMBER)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    if screen == "done":
        page.check("#identified-own_line")
        page.fill("#reason", "等验证码")
        with page.expect_navigation():
            page.click("button[value='release 10m']")
    elif screen == "unmasked":
        page.click("details:has(#unmask-reason) > summary")
        page.fill("#unmask-reason", "公安调取")
        with page.expect_navigation():
            page.press("#unmask-reason", "Enter")
    elif screen == "refused":
        page.goto(f"{base}/users")
    elif screen == "digits":
        page.goto(f"{base}/")
        page.click("details:has(#digits) > summary")
        page.fill("#digits", "0001")
        page.fill("#digits-reason", "来电显示不全")
        with page.expect_navigation():
            page.press("#digits-reason", "Enter")
        assert page.locator("a[href*='/case/']").count() == 2  # of two numbers
    elif screen not in ("case", "nothing"):
        page.goto(f"{base}/{'' if screen == 'search' else screen}")
    if screen == "health":  # the checks of the brokers come by themselves, and once
        page.wait_for_selector("#checks form:not([hx-post])")
        assert page.locator("#checks li").count() == len(CHECKS)


def test_the_site_shows_these_screens(opened: Browser, world: World) -> None:
    """The first test here: those below release the number."""
    folder = PICTURES / "site"
    folder.mkdir(parents=True, exist_ok=True)
    for screen, (name, height) in ON_SITE.items():
        with inside(opened, world, name, "zh-CN", 1280) as page:
            go(page, world, screen)
            page.set_viewport_size({"width": 1280, "height": height})
            page.locator(".chip", has_text="限流中").first.wait_for()
            page.screenshot(path=folder / f"{screen}-zh.png")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_screen_fits_and_axe_finds_nothing(
    opened: Browser, world: World, width: int, locale: str
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    wrong = []
    for name in PEOPLE:
        with inside(opened, world, name, locale, width) as page:
            for who, screen in SCREENS:
                if who != name:
                    continue
                go(page, world, screen)
                place = f"{screen}-{name}-{locale}-{width}"
                page.screenshot(path=PICTURES / f"{place}.png", full_page=True)
                page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
                if (wide := page.evaluate("document.documentElement.scrollWidth")) != width:
                    wrong.append(f"{place} is {wide} wide")
                wrong += [f"{place}: {each}" for each in violations(page)]
                page.emulate_media(color_scheme="dark", reduced_motion="reduce")
                wrong += [f"{place} in the dark: {each}" for each in violations(page)]
                page.emulate_media(color_scheme="light")
    assert wrong == []


def test_the_log_in_fits_too(opened: Browser, world: World) -> None:
    for width in WIDTHS:
        page = opened.new_page(viewport={"width": width, "height": 800}, locale="zh-CN")
        page.goto(f"{world.place.url}/login")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert violations(page) == []
        page.close()


def test_in_the_dark_it_can_be_read_too(opened: Browser, world: World) -> None:
    with inside(opened, world, "li.lei", "zh-CN", 1280, color_scheme="dark") as page:
        go(page, world, "case")
        page.screenshot(path=PICTURES / "case-dark.png", full_page=True)
        assert violations(page) == []


def test_without_a_script_all_but_the_live_parts_works(opened: Browser, world: World) -> None:
    context = opened.new_context(locale="zh-CN", java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(END_S * 1000)
    page.goto(f"{world.place.url}/login")
    page.fill("#name", "li.lei")
    page.fill("#password", PASSWORD)
    with page.expect_navigation():
        page.press("#password", "Enter")
    page.fill("#number", NUMBER)
    with page.expect_navigation():
        page.press("#number", "Enter")
    page.check("#identified-own_line")
    page.fill("#reason", "等验证码")
    with page.expect_navigation():
        page.click("button[value='release 1h']")
    assert "3 个网关中 3 个已执行" in page.inner_text(".message")
    page.goto(f"{world.place.url}/live")
    assert "重新加载页面" in page.inner_text("noscript")
    context.close()


def test_a_caller_is_helped_by_the_keyboard_alone(opened: Browser, world: World) -> None:
    with inside(opened, world, "li.lei", "zh-CN", 1280) as page:
        said = len(world.gateways.said)
        focused(page, "number")
        page.keyboard.type(NUMBER)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert _tab_to(page, "identified-own_line") < 40
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.value") == "release 10m"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert [word.verb for word in world.gateways.said[said:]] == ["release"]
        assert page.locator(".message[role=status]").count() == 1


def test_single_keys_lead_to_the_search_and_the_next_call_until_they_are_switched_off(
    opened: Browser, world: World
) -> None:
    with inside(opened, world, "li.lei", "zh-CN", 1280) as page:
        go(page, world, "case")
        with page.expect_navigation():
            page.keyboard.press("n")
        focused(page, "number")
        page.keyboard.type("n/")
        assert page.input_value("#number") == "n/", "in a field a key is a letter"
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("/")
        focused(page, "number")
        page.goto(f"{world.place.url}/help")
        with page.expect_navigation():
            page.keyboard.press("/")
        focused(page, "number")
        page.goto(f"{world.place.url}/account")
        page.uncheck("#keys")
        page.goto(f"{world.place.url}/help")
        page.keyboard.press("/")
        page.keyboard.press("Tab")
        assert page.url.endswith("/help")


def test_the_masked_number_is_copied_even_where_the_whole_one_is_shown(
    opened: Browser, world: World
) -> None:
    with inside(opened, world, "han.mei", "zh-CN", 360, permissions=CLIPBOARD) as page:
        go(page, world, "unmasked")
        page.click("[data-copy]")
        wait_until(lambda: "已复制" in page.inner_text(".top"), "it is copied")
        assert page.evaluate("navigator.clipboard.readText()") == "+86 170 •••• 0001"


def test_a_long_live_list_fits_a_phone_and_has_pages(opened: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as world:
        busy(world, world.store.at_ms)
        for n in range(20, 60):
            world.flood(n, recipient=f"86139000000{n}", at_ms=world.store.at_ms)
        world.store.accounts.add("han.mei", (DeskRole.LEAD,), password=PASSWORD)
        with inside(opened, world, "han.mei", "zh-CN", 360) as page:
            page.goto(f"{world.place.url}/live")
            rows = page.locator("#floods tbody tr")
            assert rows.count() == 25
            assert page.evaluate("document.documentElement.scrollHeight") < 3_500
            assert violations(page) == []
            page.screenshot(path=PICTURES / "live-long-360.png", full_page=True)
            shown = page.inner_text("#floods")
            with page.expect_navigation():
                page.click("button[name='page'][value='2']")
            assert rows.count() == 48 - 25
            assert page.inner_text("#floods") != shown
            page.fill("#platform", "听潮课堂")
            with page.expect_navigation():
                page.press("#platform", "Enter")
            assert rows.count() == 8
            page.screenshot(path=PICTURES / "live-platform-360.png", full_page=True)
            with page.expect_download() as saved:
                page.click("form[action^='/live/export'] button")
            table = saved.value.path().read_text("utf-8-sig").splitlines()
            assert len(table) == 1 + 8
            assert "170 •••• 0001" in table[1]
            assert violations(page) == []


def test_filters_change_the_list_and_the_url_and_the_focus_stays(
    opened: Browser, tmp_path: Path
) -> None:
    with served(tmp_path) as world:
        busy(world, world.store.at_ms)
        fill(world.store, override("release", "8617000000001", issued_at_ms=world.store.at_ms,
                                   expires_at_ms=world.store.at_ms + 60_000))  # fmt: skip
        world.store.accounts.add("han.mei", (DeskRole.LEAD,), password=PASSWORD)
        with inside(opened, world, "han.mei", "zh-CN", 1280) as page:
            page.goto(f"{world.place.url}/live")
            rows = page.locator("#floods tbody tr")
            for state in ("released", "throttled"):
                page.focus("#state")
                page.select_option("#state", state)
                page.wait_for_url(f"**/live?state={state}&order=newest")
            wait_until(lambda: rows.count() == 7, "the list is filtered")
            assert page.evaluate("document.activeElement.id") == "state"
            assert "7 起轰炸" in page.inner_text("#summary")
            assert page.locator("[data-live]").count() == 0
            page.go_back()
            wait_until(lambda: rows.count() == 1, "the way back leads to the filter before")
            assert page.input_value("#state") == "released"
            page.select_option("#state", "")
            wait_until(lambda: rows.count() == 8, "all are listed again")
            world.flood(70, recipient="8613900000070", at_ms=world.store.at_ms)
            wait_until(lambda: rows.count() == 9, "the list is live again")
            assert violations(page) == []


KEY_S, CLICK_S, READ_PER_S, ANSWER_S = 0.25, 1.3, 5, 0.7
"""Of somebody who has never seen the page: the keystroke-level model of Card, Moran and Newell for
keys and clicks, Chinese read aloud, and what a word to gateways took on a real site."""


def test_the_five_questions_of_a_caller_are_answered_within_a_minute(
    opened: Browser, tmp_path: Path
) -> None:
    """Counted by keys, clicks and characters of the page as it is; no clock is looked at."""
    with served(tmp_path) as world:
        busy(world, time.time_ns() // 1_000_000)
        world.store.accounts.add("li.lei", (DeskRole.AGENT,), password=PASSWORD)
        _answer_five(opened, world)


def _answer_five(opened: Browser, world: World) -> None:
    with inside(opened, world, "li.lei", "zh-CN", 1280) as page:
        page.set_default_timeout(60_000)
        go(page, world, "case")
        at_s = [12 * KEY_S + ANSWER_S]

        def read(place: str) -> None:
            at_s.append(at_s[-1] + len(page.locator(place).first.inner_text()) / READ_PER_S)

        def clicked(*places: str) -> None:
            for place in places[:-1]:
                page.click(place)
            with page.expect_navigation():
                page.click(places[-1])
            at_s[-1] += len(places) * CLICK_S + ANSWER_S
            read(".message p")

        read(".aloud")
        read(".facts dd:nth-of-type(2)")
        read(".facts dd:nth-of-type(3)")
        at_s.append(at_s[-1])
        clicked("#identified-own_line", "button[value^='allow ']")
        said = page.locator("#identified-own_line")
        assert said.is_checked(), "of the same caller it is known how"
        at_s.append(at_s[-1])
        clicked("button[value='release 10m']")
        print("seconds:", [round(each, 1) for each in at_s])
        assert at_s[-1] < 60
        assert [word.verb for word in world.gateways.said[-2:]] == ["allow", "release"]


def _tab_to(page: Page, name: str) -> int:
    """Press Tab until an element has the focus; how often that took."""
    for n in range(1, 100):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return n
    pytest.fail(f"{name} is never reached")


@pytest.mark.parametrize(
    ("n", "late"), [*enumerate(("htmx.js", "htmx-sse.js", "desk.js", "nothing"), 70)]
)
def test_rows_come_by_themselves_and_the_focus_stays(
    opened: Browser, world: World, n: int, late: str
) -> None:
    """Whichever script comes last: the library began without its extension where that was late."""

    def delay(route: Route) -> None:
        time.sleep(0.5)
        route.continue_()

    with inside(opened, world, "han.mei", "zh-CN", 1280) as page:
        page.route(f"**/{late}*", delay)
        page.goto(f"{world.place.url}/live")
        rows = page.locator("#floods tbody tr")
        before = rows.count()
        page.locator("#floods a").first.focus()
        name = page.evaluate("document.activeElement.textContent")
        world.flood(n, recipient=f"86139000000{n}", at_ms=world.store.at_ms)
        wait_until(lambda: rows.count() == before + 1, "the row comes by itself")
        assert page.evaluate("document.activeElement.textContent") == name
        assert str(before + 1) in page.inner_text("#summary")


def test_a_list_whose_stream_never_began_begins_it_later(opened: Browser, world: World) -> None:
    """The server was away for a moment as the page came: the library would never ask again."""
    away = ("ERR_FAILED", "htmx:error")
    with inside(opened, world, "han.mei", "zh-CN", 1280, expected=away) as page:
        page.clock.install()
        refused: list[str] = []

        def refuse(route: Route) -> None:
            refused.append(route.request.url)
            route.abort()

        page.route("**/live/stream", refuse)
        with page.expect_event("requestfailed"):
            page.goto(f"{world.place.url}/live")
        rows = page.locator("#floods tbody tr")
        before = rows.count()
        world.flood(69, recipient="8613900000069", at_ms=world.store.at_ms)
        page.clock.run_for(65_000)
        assert page.locator("[data-old]").is_visible(), "it stands, and says so"
        assert len(refused) == 2, "it asked again, and not all the time"
        page.unroute_all()
        page.clock.run_for(45_000)
        wait_until(lambda: rows.count() == before + 1, "the row comes by itself")
        page.clock.run_for(6_000)
        assert not page.locator("[data-old]").is_visible()


def test_it_prints_without_its_controls(opened: Browser, world: World, tmp_path: Path) -> None:
    with inside(opened, world, "li.lei", "zh-CN", 1280) as page:
        go(page, world, "case")
        page.emulate_media(media="print")
        assert not page.locator("header.bar").is_visible()
        assert not page.locator("button").first.is_visible()
        assert page.locator(".aloud").first.is_visible()
