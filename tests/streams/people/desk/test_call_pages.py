"""The phone: a number is found in any form, a case is read, what is done is said and recorded."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from streams.cases.store.answers import PapersAbout
from streams.cases.store.roles import DeskRole
from streams.wire import Override
from tests.builders.streams.people.desk.call_pages import asked, found
from tests.enforce.records import RECIPIENT, START_MS, override
from tests.streams.cases.store.filled import fill, flood, incident
from tests.streams.people.desk.world import World, busy, searched, send

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}",
    "\x1b[2J\u202eevil", "' OR 1=1 --", '" hx-on:click="alert(1)',
)  # fmt: skip
OVER = "这条人工指令不属于该号码，或已失效。"
FORM = {"identified": "own_line", "reason": "she waits for a code", "ticket": "T-1"}


@pytest.mark.parametrize(
    "number",
    ["13900000001", "+86 139 0000 0001", "0086-139-0000-0001", " 8613900000001 ", "139 0000 0001"],
)
def test_a_number_is_found_in_any_form(world: World, number: str) -> None:
    recipient = "8613900000001"
    world.flood(recipient=recipient)
    page = world.inside(DeskRole.AGENT)
    answer = send(page, "/search", at="/", number=number)
    assert answer.status_code == 303
    assert world.ledger.of("search")[-1]["subject"] == recipient


def test_no_number_is_in_an_address_a_title_or_an_agents_page(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    path = found(world, client)
    page = client.get(path).text
    local = RECIPIENT.removeprefix("86")
    assert local not in path
    assert local not in page
    assert local[-4:] in page, "masked"
    nothing = send(client, "/search", at="/", number="13911112222").text
    assert "13911112222" not in nothing.replace('name="recipient" value="8613911112222"', "")


def test_what_is_no_number_is_told_so_and_is_not_repeated(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    for number in ("", "abc", "123", *HOSTILE):
        answer = send(client, "/search", at="/", number=number)
        assert answer.status_code == 400
        assert "alert(1)" not in answer.text


def test_a_part_of_a_number_finds_nobody(world: World) -> None:
    world.flood(recipient="8613900000001")
    client = world.inside(DeskRole.AGENT)
    for part in ("0000001", "139000000", "1390000000%", "1390000000*", "_3900000001"):
        assert send(client, "/search", at="/", number=part).status_code in (200, 400), part


def test_a_number_without_a_case_gets_an_answer_with_the_indexs_age(world: World) -> None:
    world.flood()
    page = send(world.inside(DeskRole.AGENT), "/search", at="/", number="13911112222")
    assert page.status_code == 200
    assert "没有" in page.text
    assert "秒前的状态" in page.text
    assert world.ledger.of("search")[-1]["outcome"] == "nothing"
    world.store.at_ms += 600_000
    old = send(world.inside(DeskRole.AGENT), "/search", at="/", number="13911112222")
    assert "暂时还看不到" in old.text, "a stale index is no answer"


def test_a_case_is_opened_by_its_number_and_by_nothing_else(world: World) -> None:
    episode = world.flood()
    agent, other = world.inside(DeskRole.AGENT), world.inside(DeskRole.AGENT, name="wang.fang")
    path = found(world, agent)
    assert agent.get(path).status_code == 200
    assert agent.get(f"/case/{quote(episode, safe='')}").status_code == 403
    assert other.get(path).status_code == 403, "another's word opens nothing"
    assert world.ledger.of("view")[-1]["outcome"] == "refused"
    lead = world.inside(DeskRole.LEAD, name="han.mei")
    assert lead.get(f"/case/{quote(episode, safe='')}").status_code == 200
    assert lead.get("/case/nothing-like-it").status_code == 404


def test_a_case_answers_the_five_questions(world: World) -> None:
    now_ms = world.store.at_ms
    busy(world, now_ms)
    client = world.inside(DeskRole.AGENT)
    page = client.get(found(world, client, "17000000001")).text
    for piece in ("134", "121", "34 分钟", "银行的验证码照常到达", "smsc-1", "工商银行", "</svg>"):
        assert piece in page, piece
    assert "限流中" in page


def test_a_release_is_said_confirmed_recorded_and_undone(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    path = found(world, client)
    done = send(client, "/say", **asked(path), **FORM, act="release 1h")
    assert done.status_code == 303
    (word,) = world.gateways.said
    assert (word.verb, word.recipient, word.actor, word.via, word.ticket) == (
        "release", RECIPIENT, "li.lei", "desk", "T-1",
    )  # fmt: skip
    assert word.expires_at_ms == word.issued_at_ms + 3_600_000
    page = client.get(done.headers["location"]).text
    assert "3 个网关中 3 个已执行" in page
    assert "已解除" in page
    assert [line["outcome"] for line in world.ledger.of("release")] == ["asked", "done"]
    (call,) = world.store.papers.about(RECIPIENT, "").calls
    assert (call.identified_by, call.same_caller, call.outcome) == ("own_line", True, "release")
    word_id = done.headers["location"].partition("said=")[2].partition(".")[0]
    ended = send(client, "/say", **asked(path), **FORM, act=f"end {word_id}")
    assert ended.status_code == 303
    assert world.gateways.said[-1].expires_at_ms == world.gateways.said[-1].issued_at_ms


def test_a_link_shows_the_success_of_no_other_override(world: World) -> None:
    """Otherwise an agent could show a caller, or a colleague, that a release was done."""
    world.flood()
    world.flood(1, recipient="8613900000077")
    client = world.inside(DeskRole.AGENT)
    done = send(client, "/say", **asked(found(world, client, "13900000077")), **FORM,
                act="release 1h")  # fmt: skip
    assert "3 个网关中 3 个已执行" in client.get(done.headers["location"]).text
    said = done.headers["location"].partition("said=")[2]
    colleague = world.inside(DeskRole.AGENT, name="wang.fang")
    for client_, mark in ((client, said), (client, said.partition(".")[0]), (colleague, said)):
        page = client_.get(f"{found(world, client_)}&said={mark}")
        assert page.status_code == 200
        assert "3 个网关中 3 个已执行" not in page.text


@pytest.mark.parametrize("identified", ["none", "own_line"])
def test_a_word_that_is_over_is_not_ended_again(world: World, identified: str) -> None:
    world.flood()
    word = override("release", issued_at_ms=START_MS - 86_400_000, expires_at_ms=START_MS - 1)
    fill(world.store, word)
    client = world.inside(DeskRole.AGENT)
    act = {**FORM, "act": "end override-0", "identified": identified}
    answer = send(client, "/say", **asked(found(world, client)), **act)
    assert answer.status_code == 400
    assert OVER in answer.text
    assert world.gateways.said == []
    assert world.ledger.of("act")[-1]["outcome"] == "refused"


def test_a_word_that_was_said_anew_is_not_ended_by_an_old_page(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    path = found(world, client)
    fill(world.store, override("exempt"), override("exempt", expires_at_ms=None))
    answer = send(client, "/say", **asked(path), **FORM, act="end override-0")
    assert (answer.status_code, world.gateways.said) == (400, [])
    assert send(client, "/say", **asked(path), **FORM, act="end override-1").status_code == 303
    assert world.gateways.said[-1].verb == "exempt"
    answer = send(client, "/say", **asked(path), **FORM, act="end override-1")
    assert answer.status_code == 400


def test_a_word_that_holds_may_be_ended_for_whoever_is_not_identified(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    path = found(world, client)
    fill(world.store, override("exempt"))
    act = {**FORM, "act": "end override-0", "identified": "none"}
    assert send(client, "/say", **asked(path), **act).status_code == 303


def test_one_platform_is_let_pass_by_its_key_or_by_its_name(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    path = found(world, client)
    send(client, "/say", **asked(path), **FORM, act="allow sig:甲平台")
    send(client, "/say", **asked(path), **FORM, act="allow", platform="【听潮课堂】")
    assert [word.platform for word in world.gateways.said] == ["sig:甲平台", "sig:听潮课堂"]
    assert {word.verb for word in world.gateways.said} == {"allow"}


@pytest.mark.parametrize(
    "fields",
    [
        {**FORM, "act": "release 1h", "identified": "none"},
        {**FORM, "act": "release 1h", "identified": ""},
        {**FORM, "act": "release 1h", "identified": "friend"},
        {**FORM, "act": "release 1h", "reason": ""},
        {**FORM, "act": "release 1h", "reason": "   "},
        {**FORM, "act": "release 99d"},
        {**FORM, "act": "mode off"},
        {**FORM, "act": "allow", "platform": ""},
        {**FORM, "act": "allow", "platform": "！！"},
        {**FORM, "act": "exempt", "for": "90d"},
        {**FORM, "act": "exempt", "for": "30d"},
        {**FORM, "act": "exempt"},
        {**FORM, "act": "end override-0"},
        {**FORM, "act": ""},
    ],
)
def test_what_an_agent_may_not_do_is_refused_and_recorded(
    world: World, fields: dict[str, str]
) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    answer = send(client, "/say", **asked(found(world, client)), **fields)
    assert answer.status_code == 400
    assert world.gateways.said == []
    assert world.ledger.of("act")[-1]["outcome"] == "refused"


def test_an_exempt_is_as_long_as_a_role_may(world: World) -> None:
    world.flood()
    agent, lead = world.inside(DeskRole.AGENT), world.inside(DeskRole.LEAD, name="han.mei")
    agents, leads = found(world, agent), found(world, lead)
    week = {**asked(agents), **FORM, "act": "exempt", "for": "7d"}
    quarter = {**asked(leads), **FORM, "act": "exempt", "for": "90d"}
    assert send(agent, "/say", **week).status_code == 303
    assert send(lead, "/say", **quarter).status_code == 303
    spans = [(w.expires_at_ms or 0) - w.issued_at_ms for w in world.gateways.said]
    assert spans == [7 * 86_400_000, 90 * 86_400_000]


def test_what_was_not_taken_is_told_and_recorded(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    path = found(world, client)
    world.gateways.away = True
    answer = send(client, "/say", **asked(path), **FORM, act="release 1h")
    assert answer.status_code == 503
    assert "Kafka is away" in answer.text
    assert world.ledger.of("release")[-1]["outcome"] == "failed"


def test_nothing_is_done_or_shown_while_the_audit_cannot_be_written(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    path = found(world, client)
    world.ledger.away = True
    assert client.get(path).status_code == 503
    assert send(client, "/search", at="/", number=RECIPIENT).status_code == 503
    assert send(client, "/say", **asked(path), **FORM, act="release 1h").status_code == 503
    assert world.gateways.said == []


def test_a_number_is_shown_whole_once_for_a_reason_and_seldom(world: World) -> None:
    world.flood()
    lead = world.inside(DeskRole.LEAD)
    path = found(world, lead)
    tail = f"{RECIPIENT[2:5]} {RECIPIENT[5:-4]} {RECIPIENT[-4:]}"
    assert send(lead, "/unmask", **asked(path)).status_code == 400
    shown = send(lead, "/unmask", **asked(path), reason="police ask")
    assert tail in shown.text
    assert tail not in lead.get(path).text, "once"
    assert world.ledger.of("unmask")[-1]["reason"] == "police ask"
    statuses = [send(lead, "/unmask", **asked(path), reason="again").status_code for _ in range(25)]
    assert statuses[-1] == 429
    assert world.ledger.of("limit")[-1]["detail"] == "unmasks"


def test_somebody_who_searches_without_end_is_stopped_and_told_of(world: World) -> None:
    client = world.inside(DeskRole.AGENT)
    statuses = [send(client, "/search", at="/", number=f"139{n:08}").status_code for n in range(31)]
    assert statuses[:30] == [200] * 30
    assert statuses[30] == 429
    registry = world.desk.metrics.registry
    assert registry.get_sample_value("otpguard_desk_limited_total", {"kind": "searches"}) == 1


def test_notes_calls_and_appeals_are_kept(world: World) -> None:
    episode = world.flood()
    client = world.inside(DeskRole.AGENT)
    about = asked(found(world, client))
    assert "已保存" in send(client, "/note", **about, text="她在等听潮课堂").text
    assert send(client, "/note", **about, text="").status_code == 400
    assert send(client, "/note", **about, text="x" * 4_001).status_code == 400
    send(client, "/note", **about, what="call", identified="none")
    assert [call.outcome for call in world.store.papers.about(RECIPIENT, "").calls] == ["told"]
    send(client, "/appeal", **about, identified="questions", text="不要拦我的短信")
    (appeal,) = world.store.papers.about(RECIPIENT, episode).appeals
    assert appeal.due_ms - appeal.received_ms == 72 * 3_600_000
    number = str(appeal.appeal_id)
    assert send(client, "/appeal", **about, appeal=number, outcome="", text="x").status_code == 400
    page = send(client, "/appeal", **about, appeal=number, outcome="granted", text="已解除").text
    assert "<b>申诉成立</b>" in page
    twice = send(client, "/appeal", **about, appeal=number, outcome="refused", text="no")
    assert twice.status_code == 400


@pytest.mark.parametrize("path", ["/say", "/note", "/appeal"])
def test_a_form_about_a_number_that_was_not_searched_tells_nothing(world: World, path: str) -> None:
    """Else a form written by hand would be a search past its bound and its place in the audit."""
    world.flood()
    client = world.inside(DeskRole.AGENT)
    other = searched(client, "8613911112222")
    words: tuple[dict[str, str], ...] = ({}, {"k": "guessed"}, {"k": other["k"]})
    for more in words:
        answer = send(client, path, **FORM, text="x", act="exempt", recipient=RECIPIENT, **more)
        assert answer.status_code == 403
        assert "0001" not in answer.text
        assert world.ledger.lines[-1]["outcome"] == "refused"
        assert world.ledger.lines[-1]["subject"] == RECIPIENT
    assert world.gateways.said == []
    assert world.store.papers.about(RECIPIENT, "") == PapersAbout()


def test_an_appeal_is_decided_from_the_case_that_it_is_about_alone(world: World) -> None:
    """Else the audit would name one number, and the outcome be another's."""
    client = world.inside(DeskRole.AGENT)
    made = world.store.papers.add_appeal(
        "ann", "8613800000009", "why", due_ms=1, identified_by="papers"
    )
    mine = searched(client, "8613911112222")
    for number in (str(made.appeal_id), "9" * 20, "٣"):
        answer = send(client, "/appeal", **mine, appeal=number, outcome="refused", text="no")
        assert answer.status_code == 400
    assert world.store.papers.about("8613800000009", "").appeals[0].state == "open"


def test_a_number_that_somebody_writes_out_is_masked_for_those_who_read_it(world: World) -> None:
    episode = world.flood()
    lead = world.inside(DeskRole.LEAD, name="han.mei")
    about = {"episode": episode}
    shown = send(lead, "/unmask", **about, reason=f"copied {RECIPIENT}")
    assert "+86 139 0000 0001" in shown.text
    copied = "of +86 139 0000 0001, that is 13900000001"
    send(lead, "/note", **about, text=copied)
    send(lead, "/appeal", **about, identified="papers", text=copied)
    send(lead, "/say", **about, identified="papers", reason=copied, ticket="13900000001",
         act="release 1h")  # fmt: skip
    send(lead, "/proposals", at="/proposals", what="exempt", span="1d", reason=copied,
         number=RECIPIENT)  # fmt: skip
    kept = "of +86 139 •••• 0001, that is +86 139 •••• 0001"
    papers = world.store.papers.about(RECIPIENT, "")
    assert papers.notes[0].text == papers.appeals[0].text == kept
    assert world.store.papers.proposals()[0].reason == kept
    (word,) = world.gateways.said
    assert (word.reason, word.ticket) == (f"{kept} [papers]", "+86 139 •••• 0001")
    texts = [line.get(name, "") for line in world.ledger.lines for name in ("reason", "ticket")]
    assert not any("13900000001" in each.replace(" ", "") for each in texts)


def test_a_number_without_a_case_may_be_exempted_and_noted(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    number = searched(client, "8613911112222")
    done = send(client, "/say", **number, **FORM, act="exempt", **{"for": "1d"})
    assert done.status_code == 200
    assert "3 个网关中 3 个已执行" in done.text
    assert "豁免" in done.text
    assert send(client, "/note", **number, text="a note").status_code == 200
    assert send(client, "/note", recipient="nobody", text="a note").status_code == 400


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_others_wrote_is_shown_as_text(world: World, hostile: str) -> None:
    """Senders, platforms, reasons and notes are whatever somebody wrote."""
    record, lease = flood(0, platforms=[f"sig:{hostile}", *[f"sig:p{n}" for n in range(4)]])
    word = Override(recipient=RECIPIENT, verb="allow", platform=f"sig:{hostile}", actor=hostile,
                    reason=hostile, issued_at_ms=world.store.at_ms,
                    expires_at_ms=world.store.at_ms + 1_000)  # fmt: skip
    fill(world.store, record, lease, incident(record, 3), word)
    world.store.papers.add_note(hostile, hostile, recipient=RECIPIENT, episode_id=record.episode_id)
    world.store.papers.add_appeal(hostile, RECIPIENT, hostile, due_ms=1, identified_by=hostile,
                                  episode_id=record.episode_id)  # fmt: skip
    client = world.inside(DeskRole.AGENT)
    page = client.get(found(world, client)).text
    assert hostile not in page.replace("{{ 7 * 7 }}", "") or hostile == "{{ 7 * 7 }}"
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert 'hx-on:click="' not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert ">49<" not in page


def test_shadow_and_the_kill_switch_stand_on_every_page(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.AGENT)
    assert "banner alarm" not in client.get("/").text
    off = Override(recipient="*", verb="mode", mode="off", actor="noc", reason="complaints",
                   issued_at_ms=world.store.at_ms, expires_at_ms=None)  # fmt: skip
    fill(world.store, off)
    world.store.at_ms += 2_000
    page = client.get(found(world, client)).text
    assert "banner alarm" in page
    assert "complaints" in page
    assert "没有拦截任何短信" in page, "and nothing reads as if something were refused"


def test_a_lead_finds_a_case_by_its_id_and_by_the_ticket_of_a_call(world: World) -> None:
    case = world.flood()
    add = world.store.papers.add_call
    add("li.lei", RECIPIENT, identified_by="own_line", same_caller=True, episode_id=case,
        ticket="T-4711")  # fmt: skip
    lead = world.inside(DeskRole.LEAD, name="han.mei")
    for named in (case, "T-4711"):
        page = send(lead, "/search", at="/", number=named)
        assert page.headers["location"] == f"/case/{quote(case, safe='')}", named
        assert world.ledger.of("search")[-1]["subject"] == RECIPIENT
    other = world.flood(7, recipient="8613900000007")
    add("li.lei", "8613900000007", identified_by="none", same_caller=False, episode_id=other,
        ticket="T-4711")  # fmt: skip
    both = send(lead, "/search", at="/", number="T-4711").text
    assert both.count('href="/case/') == 2
    assert RECIPIENT not in both
    assert send(lead, "/search", at="/", number="").status_code == 400


def test_an_agent_finds_by_id_and_ticket_only_the_cases_of_her_own_calls(world: World) -> None:
    case = world.flood()
    world.store.papers.add_call("han.mei", RECIPIENT, identified_by="none", same_caller=False,
                                episode_id=case, ticket="T-4711")  # fmt: skip
    agent = world.inside(DeskRole.AGENT)
    for named in (case, "T-4711", "T-9"):
        page = send(agent, "/search", at="/", number=named)
        assert page.status_code == 400
        assert named not in page.text
        assert world.ledger.of("search")[-1]["outcome"] == "refused"
    world.store.papers.add_call("li.lei", RECIPIENT, identified_by="none", same_caller=False,
                                episode_id=case, ticket="T-9")  # fmt: skip
    assert send(agent, "/search", at="/", number="T-4711").status_code == 400, "of a colleague"
    for named in (case, "T-9"):
        way = send(agent, "/search", at="/", number=named).headers["location"]
        assert agent.get(way).status_code == 200


def test_last_digits_find_recent_cases_for_a_reason_that_is_recorded(world: World) -> None:
    ids = [world.flood(n, recipient=f"861380{n}0044") for n in range(400, 403)]
    world.flood(9, recipient="8613900000045")
    world.flood(10, recipient="h1:00000000000044")
    lead = world.inside(DeskRole.LEAD, name="han.mei")
    page = send(lead, "/digits", at="/", digits="0044", reason="complaint about 8613804000044").text
    assert page.count('href="/case/') == len(ids)
    assert "8613" not in page
    line = world.ledger.of("search")[-1]
    assert line["detail"] == "last digits 0044, 3 cases"
    assert line["reason"] == "complaint about +86 138 •••• 0044"
    for wrong in ({"digits": "0044"}, {"digits": "044", "reason": "x"},
                  {"digits": "%%%%", "reason": "x"}):  # fmt: skip
        assert send(lead, "/digits", at="/", **wrong).status_code == 400, wrong
    assert "没有以这四位" in send(lead, "/digits", at="/", digits="9999", reason="x").text
    world.store.at_ms += 31 * 86_400_000
    lead = world.inside(DeskRole.LEAD, name="han.mei")
    assert "没有以这四位" in send(lead, "/digits", at="/", digits="0044", reason="x").text
    tries = [send(lead, "/digits", at="/", digits="0044", reason="x").status_code
             for _ in range(world.settings.console.unmasks_per_h + 1)]  # fmt: skip
    assert tries[-1] == 429
