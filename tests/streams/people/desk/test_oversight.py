"""Those who watch: the audit by person, act and number; second persons; accounts."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from detectors.model.times import DAY_MS
from streams.cases.store.roles import DeskRole
from streams.tools.operate.local_checks import Check
from tests.enforce.records import RECIPIENT, override
from tests.streams.cases.store.filled import audited, fill
from tests.streams.people.desk.world import NOW_MS, PASSWORD, World, send

ROOT = Path(__file__).parents[4]


@pytest.fixture
def wide(tmp_path: Path) -> World:
    return World(tmp_path, wide=True)


def proposal(world: World, lead: object, **fields: str) -> tuple[str, str]:
    """Propose; the number and the digest of what is proposed."""
    given = {"what": "off", "span": "1h", "reason": "complaints", **fields}
    page = send(lead, "/proposals", at="/proposals", **given)  # type: ignore[arg-type]
    assert page.status_code == 200, page.text
    made = world.store.papers.proposals()[0]
    digest = re.search(r"<code>([0-9a-f]{16})</code>", page.text)
    assert digest is not None
    return str(made.proposal_id), digest[1]


def test_a_wide_word_is_said_after_a_second_person_and_once(wide: World) -> None:
    lead = wide.inside(DeskRole.LEAD)
    approver = wide.inside(DeskRole.APPROVER, name="zhao")
    number, digest = proposal(wide, lead)
    assert wide.gateways.said == []
    fields = {"proposal": number, "digest": digest, "decision": "approve"}
    done = send(approver, "/proposals/decide", at="/proposals", **fields)
    assert done.status_code == 200
    (word,) = wide.gateways.said
    assert (word.verb, word.mode, word.actor, word.approved_by) == ("mode", "off", "li.lei", "zhao")
    again = send(approver, "/proposals/decide", at="/proposals", **fields)
    assert again.status_code == 400
    assert len(wide.gateways.said) == 1
    verbs = [(line["verb"], line["outcome"]) for line in wide.ledger.lines[-8:]]
    assert ("approve", "asked") in verbs
    assert ("mode", "done") in verbs


def test_nobody_approves_their_own_proposal_even_with_both_roles(wide: World) -> None:
    both = wide.inside(DeskRole.LEAD, DeskRole.APPROVER)
    number, digest = proposal(wide, both)
    fields = {"proposal": number, "digest": digest, "decision": "approve"}
    assert send(both, "/proposals/decide", at="/proposals", **fields).status_code == 400
    assert wide.gateways.said == []


@pytest.mark.parametrize("change", [{"disabled": True}, {"roles": [DeskRole.AGENT]}])
def test_who_may_not_propose_any_more_has_proposed_nothing(
    wide: World, change: dict[str, Any]
) -> None:
    number, digest = proposal(wide, wide.inside(DeskRole.LEAD))
    wide.store.accounts.change("li.lei", **change)
    approver = wide.inside(DeskRole.APPROVER, name="zhao")
    fields = {"proposal": number, "digest": digest, "decision": "approve"}
    assert send(approver, "/proposals/decide", at="/proposals", **fields).status_code == 400
    assert wide.gateways.said == []
    fields["decision"] = "reject"
    assert send(approver, "/proposals/decide", at="/proposals", **fields).status_code == 200


@pytest.mark.parametrize("act", ["reset", "roles", "add"])
def test_whom_an_admin_made_an_approver_approves_nothing_for_a_day(wide: World, act: str) -> None:
    """Else one dishonest admin would be the second person too."""
    admin = wide.inside(DeskRole.ADMIN, name="root")
    if act != "add":
        wide.person("zhao", DeskRole.APPROVER)
    told = send(admin, "/users", at="/users", act=act, name="zhao", **{"role-approver": "1"})
    found = re.search(r"：([A-Za-z0-9_-]{16})", told.text)
    password = found[1] if found else PASSWORD
    lead, approver = wide.inside(DeskRole.LEAD), wide.client()

    def approve() -> int:
        number, digest = proposal(wide, lead)
        send(approver, "/login", at="/login", name="zhao", password=password)
        fields = {"proposal": number, "digest": digest, "decision": "approve"}
        answer = send(approver, "/proposals/decide", at="/proposals", **fields)
        return int(answer.status_code)

    assert approve() == 400
    assert wide.gateways.said == []
    wide.store.at_ms += DAY_MS
    lead = wide.inside(DeskRole.LEAD)
    assert approve() == 200


def test_a_proposal_is_over_after_a_quarter_of_an_hour(wide: World) -> None:
    number, digest = proposal(wide, wide.inside(DeskRole.LEAD))
    wide.store.at_ms += 15 * 60_000
    approver = wide.inside(DeskRole.APPROVER, name="zhao")
    fields = {"proposal": number, "digest": digest, "decision": "approve"}
    assert send(approver, "/proposals/decide", at="/proposals", **fields).status_code == 400
    assert wide.gateways.said == []


def test_what_is_approved_is_what_was_read(wide: World) -> None:
    lead = wide.inside(DeskRole.LEAD)
    number, _ = proposal(wide, lead)
    _, other = proposal(wide, lead, what="shadow")
    approver = wide.inside(DeskRole.APPROVER, name="zhao")
    fields = {"proposal": number, "digest": other, "decision": "approve"}
    assert send(approver, "/proposals/decide", at="/proposals", **fields).status_code == 400
    assert wide.gateways.said == []


def test_a_rejected_proposal_is_over(wide: World) -> None:
    number, digest = proposal(wide, wide.inside(DeskRole.LEAD))
    approver = wide.inside(DeskRole.APPROVER, name="zhao")
    fields = {"proposal": number, "digest": digest, "why": "not now"}
    done = send(approver, "/proposals/decide", at="/proposals", **fields, decision="reject")
    assert done.status_code == 200
    late = send(approver, "/proposals/decide", at="/proposals", **fields, decision="approve")
    assert late.status_code == 400
    assert wide.gateways.said == []


@pytest.mark.parametrize(
    "fields",
    [
        {"what": "off", "span": "1h", "reason": ""},
        {"what": "off", "span": "", "reason": "x"},
        {"what": "", "span": "1h", "reason": "x"},
        {"what": "allow", "span": "1h", "reason": "x", "platform": "!!"},
        {"what": "exempt", "span": "1h", "reason": "x", "number": "nobody"},
    ],
)
def test_what_is_no_proposal_is_told_so(wide: World, fields: dict[str, str]) -> None:
    lead = wide.inside(DeskRole.LEAD)
    assert send(lead, "/proposals", at="/proposals", **fields).status_code == 400
    assert wide.store.papers.proposals() == ()


def test_words_about_everyone_are_off_until_settings_say_otherwise(world: World) -> None:
    lead = world.inside(DeskRole.LEAD)
    given = {"what": "off", "span": "1h", "reason": "complaints"}
    assert send(lead, "/proposals", at="/proposals", **given).status_code == 400
    long = {"what": "exempt", "span": "180d", "reason": "company", "number": "13911112222"}
    page = send(lead, "/proposals", at="/proposals", **long)
    assert page.status_code == 200
    assert "13911112222" not in page.text


def test_the_audit_is_searched_by_person_act_and_number(world: World) -> None:
    fill(world.store, *audited(
        {"actor": "li.lei", "verb": "search", "subject": RECIPIENT},
        {"actor": "wang.fang", "verb": "release", "subject": RECIPIENT, "reason": "<b>x</b>"},
        {"actor": "wang.fang", "verb": "search", "subject": "8613911112222"},
    ))  # fmt: skip
    auditor = world.inside(DeskRole.AUDITOR, name="shen.ji")
    page = auditor.get("/audit").text
    assert page.count('<tr role="row">') == 1 + 3
    assert RECIPIENT not in page
    assert "&lt;b&gt;x" in page
    assert ">坐席<" in page
    assert auditor.get("/audit?actor=wang.fang").text.count('<tr role="row">') == 1 + 2
    assert auditor.get("/audit?actor=wang.fang&verb=search").text.count('<tr role="row">') == 1 + 1
    by_number = send(auditor, "/audit", at="/audit", number=f"+{RECIPIENT}")
    assert by_number.text.count('<tr role="row">') == 1 + 2
    assert RECIPIENT not in by_number.text
    bad = send(auditor, "/audit", at="/audit", number="nobody")
    assert "message bad" in bad.text
    by_address = auditor.get(f"/audit?number={RECIPIENT}").text
    assert by_address.count('<tr role="row">') == page.count('<tr role="row">'), "it is not read"


def test_of_one_number_all_lines_come_or_it_is_said_that_there_are_more(world: World) -> None:
    many = [{"subject": RECIPIENT, "ticket": f"T{n:03}"} for n in range(401)]
    fill(world.store, *audited(*many))
    auditor = world.inside(DeskRole.AUDITOR, name="shen.ji")
    page = send(auditor, "/audit", at="/audit", number=RECIPIENT).text
    assert len(set(re.findall(r"T\d{3}", page))) == 400
    assert "message bad" in page


@pytest.mark.parametrize("apart_ms", [1, 0])
def test_a_long_audit_comes_in_pages(world: World, apart_ms: int) -> None:
    """Whole too where a page ends between two lines of one millisecond."""
    lines = [{"ticket": f"T{n:03}", "at_ms": NOW_MS + n * apart_ms} for n in range(150)]
    fill(world.store, *audited(*lines))
    auditor = world.inside(DeskRole.AUDITOR, name="shen.ji")
    first = auditor.get("/audit").text
    assert first.count('<tr role="row">') == 1 + 100
    older = re.search(r'href="(/audit\?[^"]*behind=[^"]*)"', first)
    assert older is not None
    second = auditor.get(older[1].replace("&amp;", "&")).text
    pages = [re.findall(r"T\d{3}", each) for each in (first, second)]
    assert sorted(pages[0] + pages[1]) == [f"T{n:03}" for n in range(150)]


def test_states_and_outcomes_are_told_in_words_of_their_own(wide: World) -> None:
    """`open` and `refused` mean something else elsewhere: a verdict, and a message that is held."""
    fill(wide.store, *audited({"outcome": "refused"}, {"verb": "appeal", "outcome": "refused"}))
    lead = wide.inside(DeskRole.LEAD, name="han.mei")
    page = send(lead, "/proposals", at="/proposals", what="off", span="1h", reason="r").text
    assert "待第二人批准" in page
    auditor = wide.inside(DeskRole.AUDITOR, name="shen.ji")
    told = auditor.get("/audit").text
    assert "不允许" in told
    assert "维持原措施" in told
    assert "已拦截" not in told


def test_an_admin_makes_changes_and_ends_accounts_but_the_own(world: World) -> None:
    admin = world.inside(DeskRole.ADMIN, name="root")
    made = send(admin, "/users", at="/users", act="add", name="New.Person", **{"role-agent": "1"})
    found = re.search(r"：([A-Za-z0-9_-]{16})", made.text)
    assert found is not None, made.text
    assert world.store.accounts.verify("new.person", found[1]) is not None
    agent = world.inside(DeskRole.AGENT)
    send(admin, "/users", at="/users", act="roles", name="li.lei", **{"role-auditor": "1"})
    assert world.store.accounts.get("li.lei").roles == {DeskRole.AUDITOR}
    assert agent.get("/").status_code == 303, "other rights ask a new log-in"
    send(admin, "/users", at="/users", act="disable", name="li.lei")
    assert world.store.accounts.get("li.lei").disabled
    send(admin, "/users", at="/users", act="enable", name="li.lei")
    send(admin, "/users", at="/users", act="reset", name="li.lei")
    assert world.store.accounts.verify("li.lei", PASSWORD) is None
    own = send(admin, "/users", at="/users", act="roles", name="Root", **{"role-agent": "1"})
    assert own.status_code == 400
    assert world.store.accounts.get("root").roles == {DeskRole.ADMIN}
    assert send(admin, "/users", at="/users", act="add", name="a b").status_code == 400
    assert send(admin, "/users", at="/users", act="nothing", name="li.lei").status_code == 400
    assert {line["subject"] for line in world.ledger.of("account")} >= {"new.person", "li.lei"}


def test_the_help_names_the_five_questions(world: World) -> None:
    assert world.inside(DeskRole.AGENT).get("/help").text.count("<dt>") == 5


def test_an_administrator_sees_what_is_wrong_and_the_runbook_for_it(world: World) -> None:
    world.flood()
    fill(world.store, override("mode", "*", mode="off", actor="duty"))
    asked: list[bool] = []

    def examine(whole: bool) -> list[Check]:
        asked.append(whole)
        lag = Check("lag", "warn", "no worker has written a checkpoint yet", "start one")
        return [Check("store", "ok", "fresh"), *([lag] if whole else [])]

    world.desk.examine = examine
    client = world.inside(DeskRole.ADMIN)
    page = client.get("/health").text
    for piece in ("smsc-1", "duty", "fresh", "OtpguardKillSwitchOn", "OtpguardRailTripped"):
        assert piece in page, piece
    assert "start one" not in page
    assert RECIPIENT[-8:] not in page
    page = send(client, "/health", at="/health").text
    assert "start one" in page
    assert "OtpguardEventLagGrowing" in page
    assert asked == [False, False, True]
    assert [line["detail"] for line in world.ledger.of("view")] == ["health"] * 3
    lines = page.count('<li><span class="chip')
    assert page.count("处置手册: <code>") == lines, "each line has one"
    assert "deploy/runbooks" in page
    template = files("streams.people.desk").joinpath("templates/health.html.j2").read_text("utf-8")
    names = {"README", *re.findall(r"Otpguard\w+", template)}
    books = {f"deploy/runbooks/{name}.md" for name in names}
    assert all((ROOT / each).is_file() for each in books)
    assert len(books) > 8


def test_runbooks_are_links_where_people_have_a_copy_of_them(tmp_path: Path) -> None:
    world = World(tmp_path, runbooks="https://wiki.example/books")
    page = world.inside(DeskRole.ADMIN).get("/health").text
    assert '<a href="https://wiki.example/books/OtpguardIndexStale.md">' in page
