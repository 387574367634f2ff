"""Lists: rows without numbers for who may not see one, campaigns, platforms."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

from detectors.model.event import platform_id
from detectors.model.records import Level
from streams.cases.standing import Doing
from streams.cases.store.roles import DeskRole
from streams.cases.store.store import QUIET_MS
from streams.people.desk.call_view import STATES
from streams.people.desk.list_pages import few
from tests.enforce.records import override
from tests.streams.cases.store.filled import campaign, ended, fill, flood, week_of
from tests.streams.people.desk.world import World, busy, send, token_of

NUMBER = "8617000000001"


def test_no_flood_of_the_screens_has_more_refused_than_messages(world: World) -> None:
    busy(world, world.store.at_ms)
    floods, _ = world.store.live()
    assert len(floods) == 8
    assert all(0 < each.refused < each.messages for each in floods)


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
    page = world.inside(DeskRole.LEAD).get("/live").text
    assert "当前 8 起轰炸：已拦截 8，仅观察 0；显示 3 起" in page


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
    for piece in ("12,345", "20.0 %", "尚不清楚", "× 1.8"):
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


def test_live_floods_have_an_order_and_pages_in_the_url(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.people.desk.list_pages.LIVE_MAX", 3)
    busy(world, world.store.at_ms)
    lead = world.inside(DeskRole.LEAD)
    first = lead.get("/live?order=messages").text
    assert first.index("0001</a>") < first.index("0008</a>")
    assert first.count("/case/") == 3
    assert "hx-sse:connect" not in first, "a list in another order does not move under the hand"
    assert "第 1 页，共 3 页" in first
    last = lead.get("/live?order=messages&page=3").text
    assert last.count("/case/") == 2
    assert lead.get("/live?page=9").text.count("/case/") == 0
    assert "hx-sse:connect" in lead.get("/live?page=x&order=' OR 1&state=nobody").text


def test_live_floods_are_filtered_by_state(world: World) -> None:
    busy(world, world.store.at_ms)
    over, _ = flood(70, recipient="8613900000070", at_ms=world.store.at_ms)
    watched = replace(flood(71, recipient="8613900000071", at_ms=world.store.at_ms)[0],
                      level=Level.WATCH)  # fmt: skip
    fill(
        world.store,
        over,
        ended(over, world.store.at_ms),
        watched,
        override(
            "release",
            NUMBER,
            issued_at_ms=world.store.at_ms,
            expires_at_ms=world.store.at_ms + 60_000,
        ),
    )
    lead = world.inside(DeskRole.LEAD)
    shown = {
        str(state): re.findall(r"•••• (\d+)</a>", lead.get(f"/live?state={state}").text)
        for state in STATES
    }
    assert shown["released"] == ["0001"]
    assert shown["watched"] == ["0071"]
    assert shown["over"] == ["0070"]
    assert sorted(shown["throttled"]) == [f"00{n:02}" for n in range(2, 9)]
    assert not any(shown[each] for each in ("unconfirmed", "failed", "exempt", "off", "shadow"))
    page = lead.get("/live?state=throttled&order=platforms").text
    assert "7 起轰炸" in page
    assert re.findall(r'<option value="(\w+)" selected', page) == ["throttled", "platforms"]
    file = send(lead, "/live/export?state=released", at="/live").content.decode("utf-8-sig")
    assert len(file.splitlines()) == 1 + 1
    agent = world.inside(DeskRole.AGENT, name="agent").get("/live?state=watched").text
    assert "1 起轰炸" in agent
    assert "••••" not in agent


def test_a_platform_is_chosen_by_name_and_its_id_stands_in_the_url(world: World) -> None:
    busy(world, world.store.at_ms)
    lead = world.inside(DeskRole.LEAD)
    done = send(lead, "/live?order=messages&state=throttled", at="/live", platform="牛角包考研")
    path = done.headers["location"]
    key = "sig:牛角包考研"
    assert path == f"/live?order=messages&state=throttled&platform={platform_id(key)}"
    page = lead.get(path).text
    assert page.count("/case/") == 1, "only the largest flood has this platform"
    assert "牛角包考研" in page
    assert lead.get("/live?platform=牛角包考研").text.count("/case/") == 8, "no name is read there"
    for typed in (NUMBER, "+86 170 0000 0001", "nobody"):
        bad = send(lead, "/live", at="/live", platform=typed)
        assert (bad.status_code, "location" in bad.headers) == (400, False)
    agent = world.inside(DeskRole.AGENT, name="agent")
    assert "当前 8 起轰炸" in agent.get(path.replace("state=throttled", "state=")).text
    assert send(agent, "/live", at="/live", platform="牛角包考研").status_code == 403


@pytest.mark.parametrize(
    "asked",
    ["page=9999999999", "platform=9999999999", "platform=-1&page=-1", "state=over&state=x",
     "order=newest;drop&page=٣", "page=0&pause=2", f"platform={NUMBER}"],
)  # fmt: skip
def test_a_made_up_url_shows_nothing_more(world: World, asked: str) -> None:
    busy(world, world.store.at_ms)
    agent = world.inside(DeskRole.AGENT).get(f"/live?{asked}")
    assert agent.status_code == 200
    assert "/case/" not in agent.text
    lead = world.inside(DeskRole.LEAD, name="lead")
    assert NUMBER not in lead.get(f"/live?{asked}").text
    file = send(lead, f"/live/export?{asked}", at="/account")
    assert file.status_code == 200
    assert NUMBER not in file.text


def test_a_file_is_for_leads_of_this_desk_alone(world: World) -> None:
    busy(world, world.store.at_ms)
    for name, role in (("a", DeskRole.AGENT), ("b", DeskRole.ANALYST), ("c", DeskRole.ADMIN)):
        client = world.inside(role, name=name)
        assert send(client, "/live/export?state=watched", at="/account").status_code == 403
    lead = world.inside(DeskRole.LEAD, name="lead")
    fields = {"csrf": token_of(lead, "/live")}
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    for path in ("/live/export", "/live", "/handover", "/health"):
        assert lead.post(path, data=fields, headers=elsewhere).status_code == 403
        assert lead.post(path).status_code in (403, 415), "no token, no file"
        assert lead.get(path).status_code in (200, 403, 405)
    assert world.ledger.of("export") == []


def test_a_list_is_exported_masked_and_recorded(world: World) -> None:
    busy(world, world.store.at_ms)
    lead = world.inside(DeskRole.LEAD)
    file = send(lead, "/live/export?order=messages", at="/live")
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
