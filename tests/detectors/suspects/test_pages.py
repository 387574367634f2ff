"""Unnamed texts of one template: what they count as, for how long, and that they are bounded."""

from __future__ import annotations

import pytest

from detectors.chain import Params, Partition, restore, snapshot
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import EventKind, Trust
from detectors.model.records import Level
from detectors.suspects.pages import Pages, count_as, drop_old
from detectors.thresholds import PAGE_KEPT_S, PAGE_RECIPIENTS_MAX, PAGE_S, PAGE_TEMPLATES_MAX
from tests.builders.detectors.chain import VICTIM, calm_history, changes, refused, throttles
from tests.detectors.stand_in import HOUR_MS, START_MS, Event, run

ENFORCE = Params(episode=EpisodeParams(mode="enforce"))
AT_S = 1_000_000


def presses(count: int, gap_ms: int, pages: int = 1, start_ms: int = START_MS) -> list[Event]:
    """Codes of so many pages in turn, each from a number of its own."""
    return [
        Event(start_ms + i * gap_ms, VICTIM, f"number {i}", page=1 + i % pages)
        for i in range(count)
    ]


@pytest.mark.parametrize("after_s", [0, 1, PAGE_S - 1, -PAGE_S + 1])
def test_a_text_counts_as_the_first_of_its_template_within_ten_minutes(after_s: int) -> None:
    pages: Pages = {}
    assert count_as(pages, 1, 9, 5, AT_S) == 5
    assert count_as(pages, 1, 9, 6, AT_S + after_s) == 5
    assert count_as(pages, 1, 8, 6, AT_S + after_s) == 6, "another template"
    assert count_as(pages, 2, 9, 6, AT_S + after_s) == 6, "another recipient"


@pytest.mark.parametrize("after_s", [PAGE_S, -PAGE_S, 10 * PAGE_S])
def test_after_ten_minutes_a_number_counts_as_itself(after_s: int) -> None:
    pages: Pages = {}
    count_as(pages, 1, 9, 5, AT_S)
    assert count_as(pages, 1, 9, 6, AT_S + after_s) == 6
    assert count_as(pages, 1, 9, 7, AT_S + after_s + 1) == 6


def test_first_texts_are_forgotten_when_the_time_goes_on() -> None:
    pages: Pages = {}
    count_as(pages, 1, 9, 5, AT_S)
    count_as(pages, 1, 8, 5, AT_S + PAGE_S)
    assert drop_old(pages, AT_S, AT_S) is pages
    later_s = AT_S + PAGE_KEPT_S + PAGE_S // 2
    assert drop_old(pages, AT_S, later_s) == {1: {8: (5, AT_S + PAGE_S)}}
    assert drop_old(pages, AT_S, later_s + PAGE_S) == {}
    assert drop_old(pages, AT_S, AT_S - PAGE_KEPT_S - PAGE_S) == {}, "a clock was ahead"


def test_pages_are_bounded_and_the_oldest_give_way() -> None:
    pages: Pages = {}
    for template in range(PAGE_TEMPLATES_MAX + 1):
        count_as(pages, 0, template, 5, AT_S)
    assert len(pages[0]) == PAGE_TEMPLATES_MAX
    assert count_as(pages, 0, 0, 6, AT_S) == 6
    for recipient in range(1, PAGE_RECIPIENTS_MAX + 1):
        count_as(pages, recipient, 9, 5, AT_S)
    assert len(pages) == PAGE_RECIPIENTS_MAX
    assert 0 not in pages


def test_eight_presses_of_one_unnamed_page_are_one_platform() -> None:
    decisions = run(ENFORCE, calm_history() + presses(8, 20_000))
    assert decisions.episodes == []
    named = [event._replace(page=0) for event in presses(8, 20_000)]
    assert throttles(run(ENFORCE, calm_history() + named)), "else they prove nothing"


def test_a_flood_of_many_unnamed_pages_is_throttled_like_any_other() -> None:
    many = presses(30, 20_000, pages=30)
    named = [event._replace(page=0) for event in many]
    found, plain = (run(ENFORCE, calm_history() + events) for events in (many, named))
    assert changes(found) == changes(plain)
    assert len(refused(many, throttles(found))) == len(refused(named, throttles(plain)))


def test_one_page_from_a_pool_is_throttled_by_the_number_of_its_codes() -> None:
    decisions = run(ENFORCE, calm_history() + presses(120, 5_000))
    raised = next(e for e in decisions.episodes if e.level is Level.THROTTLE)
    assert raised.reason.rule == "mass_10min"
    assert raised.cause.offset - len(calm_history()) <= 51
    held = refused(presses(120, 5_000), throttles(decisions))
    assert len(held) >= 60, "gateways refuse the numbers that come, of which no sighting tells"


def test_numbers_that_the_recipient_knows_are_no_evidence() -> None:
    new = Event(START_MS, VICTIM, "a new number", page=1)
    known = [
        Event(START_MS + (i + 1) * 4_000, VICTIM, f"known {i % 14}", page=1) for i in range(80)
    ]
    assert changes(run(ENFORCE, [*calm_history(), new, *known])) == []
    strange = [event._replace(platform=f"{event.platform} not") for event in known]
    assert changes(run(ENFORCE, [*calm_history(), new, *strange])), "else they prove nothing"


def test_trusted_numbers_count_as_themselves() -> None:
    pages = [e._replace(trust=int(Trust.BANK)) for e in presses(8, 20_000)]
    partition = Partition(ENFORCE)
    run(ENFORCE, calm_history() + pages, partition)
    assert partition.pages == {}


def test_a_restored_state_goes_on_with_its_pages_and_a_recycled_number_has_none() -> None:
    first, *later = presses(8, 20_000)
    partition = Partition(ENFORCE)
    run(ENFORCE, [*calm_history(), first], partition)
    partition = restore(ENFORCE, snapshot(partition))
    assert run(ENFORCE, later, partition).episodes == []
    assert VICTIM in partition.pages
    recycled = Event(START_MS + HOUR_MS, VICTIM, "", 0, EventKind.RECYCLED)
    run(ENFORCE, [recycled], partition)
    assert VICTIM not in partition.pages
