"""The picture of `otpguard top`: its lines, and the pace of a flood."""

from __future__ import annotations

from dataclasses import replace

from streams.cases.live_floods import BAR_MS, PACE_MS, Frame, pace
from streams.cluster.at_work import Sign, sort_gateways
from streams.cluster.lag import ClusterFacts
from streams.common import moment
from tests.builders.streams.cases.standing import OPENED

NOW_MS = 1_700_000_000_000


def test_a_pace_has_the_messages_of_each_bar() -> None:
    seen = [
        replace(OPENED.evidence, messages=messages, first_ms=0, last_ms=at_ms)
        for at_ms, messages in ((0, 3), (BAR_MS, 5), (BAR_MS + 5, 9), (3 * BAR_MS, 10))
    ]
    assert pace(seen) == [0, 0, 0, 0, 3, 2, 4, 1]
    assert pace([]) == [0] * 8


def test_messages_of_records_that_were_not_read_are_in_no_bar() -> None:
    old = replace(OPENED.evidence, messages=500, first_ms=0, last_ms=2 * PACE_MS)
    new = replace(old, messages=507, last_ms=2 * PACE_MS + BAR_MS)
    assert pace([old, new]) == [0, 0, 0, 0, 0, 0, 0, 7]
    assert pace([old]) == [0] * 8


def test_lines_fit_a_terminal_and_name_what_is_not_known() -> None:
    def lines(facts: ClusterFacts, *, behind: bool = False, unanswered: int = 0) -> list[str]:
        at_work, stopped = sort_gateways(facts.signs or {}, NOW_MS)
        floods, refused, observed = 1, 1, 0
        return Frame(
            NOW_MS, "enforce", floods, refused, observed, [], at_work, stopped, facts, 0, behind,
            unanswered,
        ).lines()  # fmt: skip

    assert lines(ClusterFacts())[1] == "lag ?   workers ?   dead letters in 1 h ?"
    assert lines(ClusterFacts())[2] == "gateways ?"
    assert lines(ClusterFacts(signs={}))[2] == "gateways none"
    signs = {"smsc-1": Sign(NOW_MS - 1000, ended=False), "smsc-9": Sign(NOW_MS, ended=True)}
    found = lines(ClusterFacts({0: 3, 1: 70}, {"w1": 2}, signs, 4))
    assert found == [
        "mode enforce   1 flood: 1 refused, 0 observed",
        "lag 73 (#1: 70)   workers 1   dead letters in 1 h 4",
        "gateways smsc-9 stopped, smsc-1 (1 s)",
    ]
    assert max(map(len, found)) <= 80
    signs = {f"smsc-{n}.{'x' * 40}": Sign(NOW_MS, ended=n < 2) for n in range(40)}
    told = lines(ClusterFacts({}, {}, signs, 0))[2]
    assert told == f"gateways smsc-0.{'x' * 40} stopped, +39 more"
    behind = lines(ClusterFacts(), behind=True)
    assert behind[-1] == "still reading: these are not all floods"
    silent = lines(ClusterFacts(), unanswered=NOW_MS)[-1]
    assert silent == f"no broker answers since {moment(NOW_MS)}: newer floods are missing"
    assert len(silent) <= 80


def test_a_name_from_outside_cannot_command_the_terminal() -> None:
    """An acknowledgement's gateway could set the title, or fill the clipboard."""
    names = {"a\x1b]52;c;cm0=\x07\x9b2J": NOW_MS}
    frame = Frame(NOW_MS, "enforce", 0, 0, 0, [], names, names, ClusterFacts(), 0, False, 0)
    assert "".join(frame.lines()).isprintable()
