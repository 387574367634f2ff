"""Lists: rows without numbers for who may not see one, campaigns, platforms."""

from __future__ import annotations

import csv
import io

import pytest

from streams.cases.standing import Doing
from streams.cases.store.roles import DeskRole
from streams.cases.store.store import QUIET_MS
from streams.people.desk.list_pages import few
from tests.streams.cases.store.filled import campaign, fill, flood, week_of
from tests.streams.people.desk.world import World, busy, send

NUMBER = "8617000000001"


def test_an_agents_list_has_no_number_and_no_way_into_a_case(world: World) -> None:
    busy(world, world.store.at_ms)
    page = world.inside(DeskRole.AGENT).get("/live").text
    assert page.count('<tr role="row">') == 1 + 8
    assert "••••" not in page
    assert "/case/" not in page


def test_a_leads_list_has_masked_numbers_and_ways_in(world: World) -> None:
    busy(world, world.store.at_ms)
    page = world.inside(DeskRole.LEAD).get("/live").text
    assert "+86 170 •••• 0001" in page
    assert NUMBER not in page
    assert page.count("/case/") == 8


def test_a_long_list_says_how_many_floods_it_does_not_show(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.people.desk.list_pages.LIVE_MAX", 3)
    busy(world, world.store.at_ms)
    assert "当前 8 起轰炸，显示 3 起" in world.inside(DeskRole.LEAD).get("/live").text


def test_a_flood_that_became_quiet_is_no_live_one_though_nothing_ended_it(world: World) -> None:
    record, lease = flood()
    fill(world.store, record, lease)
    client = world.inside(DeskRole.LEAD)
    world.store.at_ms = lease.expires_at_ms + 1  # it may go on too slowly for another lease
    page = client.get("/live").text
    assert "租约已结束" in page
    minutes = (record.evidence.last_ms - record.evidence.first_ms) // 60_000
    assert f"({minutes} 分钟)" in page
    world.store.at_ms = max(lease.expires_at_ms, record.evidence.last_ms + QUIET_MS)
    assert "目前没有轰炸" in world.inside(DeskRole.LEAD, name="li.lei").get("/live").text
    found = world.store.find(record.recipient).newest
    assert found is not None
    assert found.line.state is Doing.OVER


def test_a_list_is_live_until_somebody_pauses_it(world: World) -> None:
    client = world.inside(DeskRole.LEAD)
    assert 'hx-sse:connect="/live/stream"' in client.get("/live").text
    paused = client.get("/live?pause=1").text
    assert "hx-sse" not in paused
    assert "htmx" not in paused


def test_a_campaign_is_shown_as_its_agent_tells_it_without_a_number(world: World) -> None:
    client = world.inside(DeskRole.ANALYST)
    silent = client.get("/campaigns").text
    assert "otpguard agent campaigns" in silent, "an empty page says what it needs"
    busy(world, world.store.at_ms)
    page = client.get("/campaigns").text
    assert page.count('<tr role="row">') == 1 + 1
    assert "听潮课堂" in page
    assert "otpguard agent campaigns" not in page
    assert "170" not in page.replace("1700", "")
    fill(world.store, *(campaign(n, victims=10 + n) for n in range(3, 9)))
    assert client.get("/campaigns").text.count('<tr role="row">') == 1 + 7
    fill(world.store, campaign(20, end_ms=world.store.at_ms - 2 * 86_400_000))
    assert client.get("/campaigns?days=1").text.count('<tr role="row">') == 1 + 7
    assert client.get("/campaigns?days=7").text.count('<tr role="row">') == 1 + 8


def test_figures_of_the_network_stand_beside_a_platforms_floods(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.ANALYST)
    assert "otpguard agent platforms" in client.get("/platforms").text
    fill(world.store, week_of("sig:甲平台", codes=12_345))
    page = client.get("/platforms").text
    assert "otpguard agent platforms" not in page
    for piece in ("12,345", "20.0 %", "50.0 %", "× 1.8"):
        assert piece in page, piece


def test_platforms_are_found_by_name_and_few_victims_are_not_told(world: World) -> None:
    busy(world, world.store.at_ms)
    client = world.inside(DeskRole.ANALYST)
    page = client.get("/platforms").text
    assert "&lt;5" in page
    one = send(client, "/platforms", at="/platforms", name="听潮", days="30").text
    assert one.count('<tr role="row">') == 1 + 1
    page = send(client, "/platforms", at="/platforms", name="<script>", days="999").text
    assert page.count("<script>") == 0
    assert "没有" in send(client, "/platforms", at="/platforms", name="nobody").text
    assert "听潮" in client.get("/platforms?name=nobody").text, (
        "nothing is looked for by an address"
    )


@pytest.mark.parametrize(("n", "told"), [(0, "0"), (1, "<5"), (4, "<5"), (5, "5")])
def test_a_small_group_is_not_counted_out(n: int, told: str) -> None:
    assert few(n) == told


def test_live_floods_have_an_order_a_platform_and_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.people.desk.list_pages.LIVE_MAX", 3)
    busy(world, world.store.at_ms)
    lead = world.inside(DeskRole.LEAD)
    first = send(lead, "/live", at="/live", order="messages").text
    assert first.index("0001</a>") < first.index("0008</a>")
    assert first.count("/case/") == 3
    assert "hx-sse" not in first, "a list in another order does not move under the hand"
    assert "第 1 页，共 3 页" in first
    last = send(lead, "/live", at="/live", order="messages", page="3").text
    assert last.count("/case/") == 2
    assert send(lead, "/live", at="/live", page="9").text.count("/case/") == 0
    assert send(lead, "/live", at="/live", page="x", order="' OR 1").status_code == 200
    some = send(lead, "/live", at="/live", platform="牛角包考研").text
    assert some.count("/case/") == 1, "only the largest flood has this platform"
    agent = world.inside(DeskRole.AGENT, name="agent")
    assert "当前 8 起轰炸" in send(agent, "/live", at="/live", platform="牛角包考研").text


def test_a_list_is_exported_masked_and_recorded(world: World) -> None:
    busy(world, world.store.at_ms)
    lead = world.inside(DeskRole.LEAD)
    file = send(lead, "/live/export", at="/live", order="messages")
    assert file.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + 8
    assert rows[1][0] == "86 170 •••• 0001"
    assert NUMBER not in file.text
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row if cell)
    (line,) = world.ledger.of("export")
    assert (line["outcome"], line["detail"]) == ("done", "live floods, 8 lines")
    world.ledger.away = True
    assert send(lead, "/live/export", at="/account").status_code == 503, "no record, no file"


def test_long_lists_of_campaigns_and_platforms_have_pages(world: World) -> None:
    fill(world.store, *(campaign(n, victims=10 + n) for n in range(60)))
    client = world.inside(DeskRole.ANALYST)
    assert client.get("/campaigns").text.count('<tr role="row">') == 1 + 50
    assert client.get("/campaigns?days=7&page=2").text.count('<tr role="row">') == 1 + 10
