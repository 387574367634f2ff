"""The report tells what happened, holds together, and gives nothing away."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from detectors.leases.gateway_rule import Ruling
from streams.cases.explanation import platform_name
from streams.common.errors import UnavailableError
from streams.common.language import tr, use
from streams.tools.demo.command import SEED
from streams.tools.demo.report_pictures import draw_lanes
from streams.tools.demo.run_report import headline, lead, print_report, write_page
from streams.tools.demo.script import script
from streams.tools.demo.story import Story, claims
from streams.tools.scenarios.labelled_events import Role
from tests.streams.told import assert_tells, untold_languages
from tests.streams.tools.demo.rehearsal import rehearse


@pytest.fixture(scope="module")
def story() -> Story:
    return rehearse(seed=1, subscribers=500)


@pytest.fixture(scope="module")
def page(story: Story, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("demo") / "report.html"
    write_page(story, path, "otpguard demo --seed 1")
    return path.read_text(encoding="utf-8")


def test_a_full_disk_under_the_page_is_said_of_its_file(story: Story) -> None:
    with pytest.raises(UnavailableError, match="/dev/full: No space left"):
        write_page(story, Path("/dev/full"), "otpguard demo --seed 1")


def unthrottled(story: Story) -> Story:
    """The same run, had the detector said nothing."""
    messages = [replace(message, ruling=Ruling.NO_LEASE) for message in story.messages]
    return replace(story, messages=messages, changes=[], lease_end_ms=None)


def refusing(story: Story, role: Role) -> Story:
    """The same run, had one message of this role been refused."""
    at = next(i for i, message in enumerate(story.messages) if message.role is role)
    messages = list(story.messages)
    messages[at] = replace(messages[at], ruling=Ruling.REFUSE)
    return replace(story, messages=messages)


def broken(story: Story) -> list[str]:
    return [claim.text.partition(":")[0] for claim in claims(story) if not claim.true]


def test_a_run_as_promised_breaks_no_claim(story: Story) -> None:
    assert broken(story) == []


def test_a_missing_throttle_breaks_its_claim(story: Story) -> None:
    assert broken(unthrottled(story)) == ["the flood was throttled"]


@pytest.mark.parametrize(
    ("role", "claim"),
    [
        (Role.BANK, "the bank's codes arrived, every one"),
        (Role.KNOWN, "no code of a known platform was refused"),
    ],
)
def test_a_refused_code_that_should_pass_breaks_its_claim(
    story: Story, role: Role, claim: str
) -> None:
    assert broken(refusing(story, role)) == [claim]


def test_an_action_about_somebody_else_breaks_its_claim(story: Story) -> None:
    touched = replace(story, background=replace(story.background, actions=1))
    assert broken(touched) == ["nobody else was touched"]


@pytest.mark.parametrize(("counted", "dead_letters"), [(-1, 0), (1, 0), (0, 1)])
def test_a_lost_message_breaks_its_claim(story: Story, counted: int, dead_letters: int) -> None:
    offered = story.machinery.offered
    machinery = replace(story.machinery, counted=offered + counted, dead_letters=dead_letters)
    assert broken(replace(story, machinery=machinery)) == ["every message was counted once"]


class Links(HTMLParser):
    """Collects whatever would make a browser fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "img", "iframe", "object", "embed"}:
            self.found.append(tag)
        self.found += [
            str(value)
            for name, value in attrs
            if name in {"src", "href", "xlink:href", "action"} and not (value or "").startswith("#")
        ]


def test_the_page_links_to_nothing_outside(page: str) -> None:
    links = Links()
    links.feed(page)
    assert links.found == []
    assert not re.search(r"url\((?!['\"]?#)|@import", page)


def test_the_page_holds_no_code_and_no_whole_number(page: str, story: Story) -> None:
    play = script(1, 500)
    mine = [event.value for event in play.live if event.value["recipient"] == play.victim]
    codes = {code for value in mine for code in re.findall(r"\d{4,}", value["text"])}
    text = re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    # The published record names its victim, as its readers must know it; the page may not.
    assert play.victim not in text
    told = " ".join(message.text for message in story.messages)
    assert codes
    assert not any(code in told for code in codes)


def test_every_message_has_its_row_and_its_mark(page: str, story: Story) -> None:
    assert page.count('data-label="What became of it"') == len(story.messages)
    for message in story.of(Role.BANK):
        assert platform_name(message.platform) in page


def test_the_picture_is_well_formed_and_the_same_again(story: Story) -> None:
    drawn = draw_lanes(story)
    assert draw_lanes(story) == drawn
    assert_tells(drawn)


def test_a_flood_that_nobody_noticed_can_be_drawn_too(story: Story) -> None:
    assert_tells(draw_lanes(unthrottled(story)))


def test_the_page_gives_the_reason_of_the_throttle(page: str, story: Story) -> None:
    throttle = story.change("THROTTLE")
    assert throttle is not None
    (quoted,) = re.findall("<blockquote>(.*?)</blockquote>", page, re.DOTALL)
    assert quoted in throttle.text


def test_the_terminal_says_the_same_as_the_page(page: str, story: Story) -> None:
    sink = StringIO()
    print_report(story, Path("report.html"), Console(file=sink, width=100))
    said = " ".join(sink.getvalue().split())
    for sentence in (headline(story), lead(story), *(claim.text for claim in claims(story))):
        assert sentence in said
        assert sentence.replace("'", "&#39;") in page


def test_a_run_that_failed_says_so_everywhere(story: Story, tmp_path: Path) -> None:
    failed, sink = unthrottled(story), StringIO()
    write_page(failed, tmp_path / "report.html", "otpguard demo")
    print_report(failed, tmp_path / "report.html", Console(file=sink, width=100))
    for said in (sink.getvalue(), (tmp_path / "report.html").read_text(encoding="utf-8")):
        assert "not throttled in this run" in " ".join(said.split())
        assert "not so in this run" in said


def test_a_hostile_platform_name_stays_text(story: Story, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    messages = [replace(story.messages[0], platform=f"sig:{name}"), *story.messages[1:]]
    write_page(replace(story, messages=messages), tmp_path / "report.html", "otpguard demo")
    assert name not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_chinese_parts_of_the_page_say_that_they_are(page: str) -> None:
    assert untold_languages(page) == []
    assert '<span lang="zh">' in page


def test_the_readme_shows_what_is_printed() -> None:
    """Word for word but for figures: here decisions are known at once, and others are fewer.

    The page shows the beginning and single lines of the rest, with an ellipsis between them.
    """
    readme = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
    (sample,) = re.findall(r"```\n(A flood of .*?)```", readme, re.DOTALL)
    screen = StringIO()
    console = Console(file=screen, width=100)
    print_report(rehearse(SEED, 500), Path("report.html"), console)
    printed = screen.getvalue()
    shown = iter(line for line in figureless(printed) if "report.html" not in line)
    for line in figureless(sample):
        assert line.strip() == "…" or line in shown, line


def figureless(text: str) -> list[str]:
    """The lines of a text that hold anything, each figure as one 0."""
    lines = (re.sub(r"[\d,.]*\d", "0", line).rstrip() for line in text.splitlines())
    return [line for line in lines if line]


def test_a_reader_of_chinese_gets_the_page_and_the_sample_in_chinese(
    story: Story, tmp_path: Path
) -> None:
    use("zh-Hans")
    try:
        write_page(story, tmp_path / "report.html", "otpguard demo")
        screen = StringIO()
        print_report(story, tmp_path / "report.html", Console(file=screen, width=200))
        texts = tr("Text, digits masked")
    finally:
        use()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in page
    for shown in (page, screen.getvalue()):
        assert "银行的验证码全部送达" in shown
    cells = f'<td[^>]* data-label="{texts}"[^>]*>.*?</td>'
    of_others = rf"<(style|svg|pre|code|title)\b.*?</\1>|{cells}|<[^>]+>"
    words = re.sub(of_others, " ", page, flags=re.DOTALL)
    english = re.findall(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", words)
    assert english == [], "three English words in a row are a sentence that nobody translated"
