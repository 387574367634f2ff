"""What all pages share: bounds, banners, and words that open one case to one session."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.requests import HTTPConnection

from streams.cases.store.roles import DeskRole
from streams.common.language import speaking, zone
from streams.people.desk.desk_context import BANNERS_MS
from streams.people.desk.visit import RefusedError, Visit
from streams.wire import Ack, Override
from tests.streams.cases.store.filled import fill
from tests.streams.people.desk.world import World


def visit(world: World, secret: str = "s" * 43) -> Visit:
    account = world.person("li.lei", DeskRole.AGENT)
    _, session = world.store.accounts.begin(account, "password", "127.0.0.1")
    return Visit(HTTPConnection({"type": "http"}), session, secret, session.csrf, "127.0.0.1")


def test_a_word_opens_one_case_to_one_session(world: World) -> None:
    mine = visit(world)
    other = replace(mine, secret="o" * 43)
    word = world.desk.grant(mine, "1:sms:0:7")
    assert world.desk.is_granted(mine, "1:sms:0:7", word)
    assert not world.desk.is_granted(mine, "1:sms:0:8", word)
    assert not world.desk.is_granted(other, "1:sms:0:7", word)
    assert not world.desk.is_granted(mine, "1:sms:0:7", "é")


def test_one_persons_bound_is_not_anothers(world: World) -> None:
    mine = visit(world)
    for _ in range(60):
        world.desk.take("acts", mine)
    with pytest.raises(RefusedError) as refused:
        world.desk.take("acts", mine)
    assert refused.value.status == 429
    assert world.ledger.lines[-1]["actor"] == "li.lei"


def test_banners_are_asked_for_once_a_second_and_in_each_language(world: World) -> None:
    world.flood()
    assert world.desk.shown_on_all()[0] == ()
    off = Override(recipient="*", verb="mode", mode="off", actor="noc", reason="r",
                   issued_at_ms=world.store.at_ms)  # fmt: skip
    fill(world.store, off)
    assert world.desk.shown_on_all()[0] == (), "within the second"
    world.store.at_ms += BANNERS_MS
    (banner,) = world.desk.shown_on_all()[0]
    assert (banner.tone, "KILL SWITCH" in banner.text) == ("alarm", True)
    with speaking("zh-Hans", zone()):
        (chinese,) = world.desk.shown_on_all()[0]
    assert "KILL SWITCH" not in chinese.text
    assert world.desk.shown_on_all()[0] == (banner,)


def test_an_index_that_is_old_or_empty_and_a_detector_that_is_behind_are_said_to_be(
    world: World,
) -> None:
    assert world.desk.shown_on_all()[0][0].tone == "alarm", "nothing was read yet"
    world.flood()
    world.store.at_ms += 61_000
    assert "1 min old" in world.desk.shown_on_all()[0][0].text
    world.flood(1)
    world.store.note_behind(7)
    world.store.at_ms += BANNERS_MS
    assert [each.head for each in world.desk.shown_on_all()[0]] == ["The detector is behind."]


def test_rails_that_keep_leases_from_a_gateway_are_an_alarm_while_they_matter(
    world: World,
) -> None:
    world.flood()
    at_ms = world.store.at_ms
    said = [
        Ack(action_id=f"1:sms:0:{n}", gateway_id=gateway, state="ignored", why=why, at_ms=at_ms)
        for n, why, gateway in (
            (1, "rail_rate", "smsc-1"), (1, "rail_rate", "smsc-2"), (2, "rail_share", "smsc-1"),
            (3, "rail_lease", "smsc-1"), (4, "exempt", "smsc-1"),
        )
    ]  # fmt: skip
    fill(world.store, *said)
    (banner,) = world.desk.shown_on_all()[0]
    assert (banner.tone, banner.head) == ("alarm", "The rails of a gateway are reached.")
    assert "2 leases" in banner.text, "each once, and none that a rail for one lease refused"
    page = world.inside(DeskRole.AGENT).get("/").text
    assert "2 条限流租约" in page, "on every page"
    world.store.at_ms += 601_000
    world.flood(1)
    assert world.desk.shown_on_all()[0] == (), "long enough ago"


def test_rails_that_somebody_raised_are_said_with_their_end(world: World) -> None:
    world.flood()
    word = Override(
        recipient="*", verb="rails", times=4, actor="noc", reason="r", schema_version=2,
        issued_at_ms=world.store.at_ms, expires_at_ms=world.store.at_ms + 3_600_000,
    )  # fmt: skip
    fill(world.store, word)
    (banner,) = world.desk.shown_on_all()[0]
    assert (banner.tone, banner.head) == ("watch", "The rails are raised.")
    assert "4 times" in banner.text
    world.store.at_ms += 3_600_000
    world.flood(1)
    assert world.desk.shown_on_all()[0] == ()


def test_shadow_mode_is_said_and_not_in_the_words_of_an_alarm(world: World) -> None:
    world.flood()
    world.desk.settings = world.settings.model_copy(update={"mode": "shadow"})
    (banner,) = world.desk.shown_on_all()[0]
    assert (banner.head, banner.tone) == ("Only observing.", "watch")
