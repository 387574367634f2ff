"""The answer to a caller: six lines in every state, nothing of the engine's, nothing promised."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from detectors.model.event import Trust
from detectors.model.records import NOWHERE, Level, Sighting
from streams.cases.call_answer import PLATFORMS_MAX, answer, lines
from streams.cases.standing import Doing
from streams.common import language
from streams.wire import Ack, Override
from tests.builders.streams.cases.standing import ENDED, LEASE, OPENED, ack, model_of
from tests.enforce.records import RECIPIENT, START_MS, override

NOW_MS = START_MS + 60_000
OFF = override("mode", "*", mode="off")
WATCHED = replace(OPENED, level=Level.WATCH)


def told(
    *records: object,
    leases: bool = True,
    acks: tuple[Ack, ...] = (),
    words: tuple[Override, ...] = (),
) -> list[str]:
    """The lines for a case of these records; with a healthy worker."""
    lease = [replace(LEASE, scope=OPENED.scope)] if leases else []
    found = model_of(*records, *lease, *acks, *words, at_ms=NOW_MS).find(RECIPIENT)
    return list(lines(answer(RECIPIENT, found.newest, found.words, NOW_MS, "24h"), 0))


def test_a_victim_is_told_what_is_refused_what_arrives_and_when_it_ends() -> None:
    what, now, arrives, ends, words, aloud, careful, *commands = told(
        OPENED, acks=(ack("applied", 17),)
    )
    assert RECIPIENT in what
    assert "new to this number" in what
    assert now == "now: throttled: codes of platforms new to this recipient are refused"
    assert "bank" in arrives
    assert "everything that is no verification code" in arrives
    assert "refused so far: 17" in ends
    assert words == "overrides: none in force"
    assert "your bank's codes" in aloud
    assert "only for a caller" in careful
    assert [shlex.split(each)[1] for each in commands] == ["allow", "release", "explain"]
    assert shlex.split(commands[0])[2:4] == [RECIPIENT, "sig:从未见过"]  # no bank, nothing known


def test_a_renewal_whose_opening_is_out_of_sight_is_told_by_its_lease() -> None:
    renewal = replace(
        OPENED, change="renewed", since_ms=START_MS, path=(), rungs=(), scope=NOWHERE, known=0
    )
    said = told(renewal, acks=(ack("applied"),))
    assert "bank" in said[2]
    assert "sig:招商银行" not in "".join(said)


@pytest.mark.parametrize(
    ("state", "given"),
    [
        (Doing.THROTTLED, {"acks": (ack("applied"),)}),
        (Doing.UNCONFIRMED, {}),
        (Doing.FAILED, {"acks": (ack("failed"),)}),
        (Doing.RELEASED, {"words": (override("release"),)}),
        (Doing.EXEMPT, {"words": (override("exempt"),)}),
        (Doing.OFF, {"words": (OFF,)}),
        (Doing.WATCHED, {"leases": False}),
    ],
)
def test_stopped_is_said_only_where_gateways_are_to_stop_something(
    state: Doing, given: dict[str, object]
) -> None:
    record = WATCHED if state is Doing.WATCHED else OPENED
    said = told(record, **given)  # type: ignore[arg-type]
    refusing = state in (Doing.THROTTLED, Doing.UNCONFIRMED)
    aloud = next(line for line in said if line.startswith("tell the caller: "))
    assert ("We stop those" in aloud) is refusing
    assert any("otpguard release" in line for line in said) is refusing
    assert ("arrives: everything that reaches the carrier" in said) is not refusing
    assert "Tell nobody a code" in aloud


def test_a_number_without_a_flood_is_answered_and_given_no_command() -> None:
    said = list(lines(answer(RECIPIENT, None, (), NOW_MS, "7d"), 0))
    assert len(said) == 6
    assert said[0] == f"what: no flood of {RECIPIENT} in the last 7d"
    said = told(replace(OPENED, kind="resend"), leases=False)
    assert "one platform sends it code after code" in said[0]


def test_what_is_over_is_told_as_past() -> None:
    said = told(OPENED, ENDED)
    assert "it is over" in said[0]
    assert "it is over" in said[5]


def test_a_word_of_the_operator_is_shown_while_it_holds() -> None:
    held = override("exempt", expires_at_ms=NOW_MS + 1)
    assert held.actor in told(OPENED, words=(held,))[4]
    over = override("exempt", expires_at_ms=NOW_MS)
    assert told(OPENED, words=(over,))[4] == "overrides: none in force"
    other = override("exempt", "8613900000009")
    assert told(OPENED, words=(other,))[4] == "overrides: none in force"


def test_who_reads_it_is_warned_where_the_workers_are_behind_or_nobody_can_say() -> None:
    nothing = answer(RECIPIENT, None, (), NOW_MS, "24h")
    assert "Call the NOC" in list(lines(nothing, 12))[6]
    assert "position is unknown" in list(lines(nothing, None))[6]


def test_hostile_names_are_quoted_and_only_the_newest_get_a_command() -> None:
    names = ["#12", "sig:$(reboot)", "sig:'; rm -rf ~", *(f"sig:{i}" for i in range(9))]
    sightings = tuple(
        Sighting(name, 100 + i, START_MS + i, novel=True, trust=Trust.NONE)
        for i, name in enumerate(reversed(names))
    )
    said = told(replace(OPENED, sightings=sightings), acks=(ack("applied"),))
    allowed = [shlex.split(line)[3] for line in said if "otpguard allow" in line]
    assert allowed == names[1 : 1 + PLATFORMS_MAX]  # nobody is let through by a lost name


@pytest.fixture
def chinese() -> None:
    language.use(language.CHINESE)


@pytest.mark.usefixtures("chinese")
def test_a_chinese_agent_reads_chinese() -> None:
    said = told(OPENED, acks=(ack("applied", 17),))
    assert all(any("\u4e00" <= c <= "\u9fff" for c in line) for line in said[:7])


def test_a_victim_of_few_platforms_is_told_that_only_these_are_refused() -> None:
    lease = replace(LEASE, verb="throttle_platforms", refused_ids=(1,))
    case = model_of(OPENED, lease, ack("applied", 17), at_ms=NOW_MS).find(RECIPIENT)
    _, now, arrives, ends, _, aloud, _, *commands = lines(
        answer(RECIPIENT, case.newest, case.words, NOW_MS, "24h"), 0
    )
    assert now == "now: throttled: codes of 1 platform are refused, and no others"
    assert "everything but the codes of 1 platform" in arrives
    assert "refused so far: 17" in ends
    assert "of no others" in aloud
    assert shlex.split(commands[0])[2:4] == [RECIPIENT, "sig:从未见过"]


def test_a_limit_without_a_flood_is_told_with_its_reason_its_begin_and_its_end() -> None:
    record = replace(OPENED, kind="limit", level=Level.WATCH)
    lease = replace(LEASE, verb="throttle_platforms", refused_ids=(1,))
    case = model_of(record, lease, ack("applied", 17), at_ms=NOW_MS).find(RECIPIENT)
    what, now, _, ends, *_ = lines(answer(RECIPIENT, case.newest, case.words, NOW_MS, "24h"), 0)
    assert "single platforms are limited since" in what
    assert record.reason.text in what
    assert now == "now: throttled: codes of 1 platform are refused, and no others"
    assert "by itself at" in ends
