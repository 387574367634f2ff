"""`otpguard top`: one frame, JSON, and who sees numbers."""

from __future__ import annotations

import json
import re

import pytest
from rich.cells import cell_len

from detectors.model.records import Level
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.wire import decode_audit
from tests.builders.streams.cli.cases import Desk, desk
from tests.builders.streams.cli.terminal import in_a_terminal
from tests.builders.streams.cli.top import put_flood

__all__ = ["desk"]

pytestmark = pytest.mark.broker


def test_one_frame_and_json_say_the_same_and_no_number(desk: Desk) -> None:
    put_flood(desk, 1, 8)
    put_flood(desk, 2, 30, Level.WATCH)
    frame = json.loads(desk.ask("top", "--json"))
    assert (frame["floods"], frame["refused"], frame["mode"]) == (2, 1, "shadow")
    rows = [(each["case"]["recipient"], each["case"]["state"]) for each in frame["rows"]]
    assert rows == [("+86 139 •••• 0001", "throttled"), ("+86 139 •••• 0002", "watched")]
    told = desk.ask("top", "--once")
    lines = told.splitlines()
    assert lines[0] == "mode shadow   2 floods: 1 refused, 0 observed"
    assert lines[2].startswith("gateways ")
    assert "smsc-1" not in lines[2], "an acknowledgement is no sign of life"
    assert [line.split("  ")[0] for line in lines[4:]] == [recipient for recipient, _ in rows]
    assert "8613900000001" not in told + json.dumps(frame)
    assert not list(records(client_arguments(desk.kafka), desk.topics["audit"]))


def test_whole_numbers_are_a_look_that_is_audited(desk: Desk) -> None:
    put_flood(desk, 1, 8)
    assert "8613900000001" in desk.ask("top", "--once", "--numbers")
    clients = client_arguments(desk.kafka)
    (look,) = (decode_audit(each.value) for each in records(clients, desk.topics["audit"]))
    assert (look.verb, look.detail, look.outcome) == ("view", "top", "done")


def test_at_80_columns_no_line_of_top_and_cases_is_wider(desk: Desk) -> None:
    put_flood(desk, 1, 8)
    put_flood(desk, 2, 30, Level.WATCH)
    config = ("--config", str(desk.folder / "otpguard.toml"))
    for words in (
        ("top", "--once"),
        ("cases", "ls", "--watched"),
        ("cases", "show", "8613900000001"),
        ("explain", "8613900000002"),
    ):
        shown = in_a_terminal(80, "-m", "streams", *words, *config)
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
        assert "0001" in plain or "0002" in plain
        assert [line for line in plain.splitlines() if cell_len(line) > 80] == []
        said = [line for line in plain.splitlines() if "━" not in line]  # no progress bar
        assert [line for line in said if "…" in line] == []
