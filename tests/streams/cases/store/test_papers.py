"""Notes, calls, appeals, proposals and holds: written once, decided once, by the right people."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cases.store.papers import PROPOSAL_MS, TEXT_MAX, WORD_MAX
from streams.common.errors import UsageError
from tests.enforce.records import RECIPIENT
from tests.streams.cases.store.filled import FilledStore, opened


@pytest.fixture
def store(tmp_path: Path) -> FilledStore:
    return opened(tmp_path)


def test_notes_are_found_by_number_and_by_case_the_newest_first(store: FilledStore) -> None:
    papers = store.papers
    papers.add_note("ann", " first ", recipient=RECIPIENT, episode_id="1:t:0:1")
    papers.add_note("bob", "second", recipient="8613900000002", episode_id="1:t:0:1")
    papers.add_note("bob", "third", recipient=RECIPIENT)
    assert [n.text for n in papers.about(RECIPIENT, "").notes] == ["third", "first"]
    assert [n.text for n in papers.about("", "1:t:0:1").notes] == ["second", "first"]
    for text in ("", "  ", "x" * (TEXT_MAX + 1)):
        with pytest.raises(UsageError, match="characters"):
            papers.add_note("ann", text, recipient=RECIPIENT)


def test_calls_say_how_the_caller_was_identified(store: FilledStore) -> None:
    papers = store.papers
    papers.add_call("ann", RECIPIENT, identified_by="from it", same_caller=True, ticket="T-1")
    store.at_ms += 1_000
    papers.add_call("bob", RECIPIENT, identified_by="identity card", same_caller=False)
    assert [c.agent for c in papers.about(RECIPIENT, "").calls] == ["bob", "ann"]
    with pytest.raises(UsageError, match="at most"):
        papers.add_call("ann", RECIPIENT, identified_by="x" * (WORD_MAX + 1), same_caller=True)


def test_an_appeal_is_decided_once(store: FilledStore) -> None:
    papers = store.papers
    papers.add_appeal("ann", RECIPIENT, "why me", due_ms=20, identified_by="id")
    soon = papers.add_appeal("ann", RECIPIENT, "again", due_ms=10, identified_by="id")
    done = papers.decide_appeal(soon.appeal_id, "lead", "granted", "lifted at once")
    assert (done.state, done.decided_by, done.decided_ms) == ("granted", "lead", store.at_ms)
    with pytest.raises(UsageError, match="decided already"):
        papers.decide_appeal(soon.appeal_id, "other", "refused", "no")
    assert [a.state for a in papers.about(RECIPIENT, "").appeals] == ["granted", "open"]


def test_a_wide_action_takes_a_second_person_and_goes_once(store: FilledStore) -> None:
    papers = store.papers
    made = papers.propose("ann", "mode", b"{off}", "everything off", "gateway broken", "T-9")
    with pytest.raises(UsageError, match="not yours"):
        papers.decide_proposal(made.proposal_id, "ann", "approved", "me too")
    with pytest.raises(UsageError):
        papers.use_proposal(made.proposal_id)
    assert papers.decide_proposal(made.proposal_id, "bob", "approved", "ok").decided_by == "bob"
    with pytest.raises(UsageError):
        papers.decide_proposal(made.proposal_id, "eve", "rejected", "late")
    assert papers.use_proposal(made.proposal_id) == b"{off}"
    with pytest.raises(UsageError):
        papers.use_proposal(made.proposal_id)
    assert papers.proposal(made.proposal_id).state == "used"


def test_a_proposal_may_be_taken_back_and_is_over_after_a_quarter_of_an_hour(
    store: FilledStore,
) -> None:
    papers = store.papers
    own = papers.propose("ann", "mode", b"a", "off", "r", "")
    assert papers.decide_proposal(own.proposal_id, "ann", "rejected", "mistake").state == "rejected"
    late = papers.propose("ann", "mode", b"b", "off", "r", "")
    approved = papers.propose("ann", "mode", b"c", "off", "r", "")
    papers.decide_proposal(approved.proposal_id, "bob", "approved", "")
    assert [p.value for p in papers.proposals() if p.state == "open"] == [b"b"]
    store.at_ms += PROPOSAL_MS
    assert "open" not in {p.state for p in papers.proposals()}
    assert papers.proposal(late.proposal_id).state == "expired"
    with pytest.raises(UsageError):
        papers.decide_proposal(late.proposal_id, "bob", "approved", "")
    with pytest.raises(UsageError):
        papers.use_proposal(approved.proposal_id)
    with pytest.raises(UsageError, match="no proposal"):
        papers.proposal(999)
    assert len(papers.proposals()) == 3


def test_a_hold_stands_until_it_is_lifted_once(store: FilledStore) -> None:
    papers = store.papers
    hold = papers.hold("ann", RECIPIENT, "调证2026-17", "police")
    assert [h.hold_id for h in papers.holds([RECIPIENT, "x"])] == [hold.hold_id]
    assert papers.holds(["x"]) == ()
    assert papers.lift("bob", hold.hold_id).lifted_by == "bob"
    with pytest.raises(UsageError, match="no hold"):
        papers.lift("bob", hold.hold_id)
    assert papers.holds() == ()
