"""What `deploy/gateways/gate.md` says is so: its curl lines, its table of reasons, the vectors."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from detectors.leases.gateway_rule import Ruling
from streams.gateways.enforce.gateway import Order
from streams.gateways.gate.contract import AnswerReason
from tests.builders.enforce.vectors import VECTORS, lease_of
from tests.enforce.services import need
from tests.streams.gateways.gate.asked import VICTIM, Desk, desk, served

PAGE = Path("deploy/gateways/gate.md").read_text("utf-8")
HANDLER = Path("deploy/gateways/smsgate/src/main/java/otpguard/smsgate/GateHandler.java")


def commands() -> list[str]:
    """The curl commands of the page, several lines of one together."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    found = [each for block in blocks for each in re.split(r"(?m)^(?=curl )", block)]
    return [each.strip() for each in found if each.startswith("curl ")]


def run(made: Desk, folder: Path) -> list[dict[str, Any]]:
    """The answers to all of them, one after another."""
    need("curl", "curl")
    told = []
    with served(folder, made.gate) as place:
        for command in commands():
            there = command.replace("http://127.0.0.1:9080", f"--unix-socket {place.path} http://g")
            there = there.replace("--max-time 0.02", "--max-time 30")
            done = subprocess.run(["bash", "-euc", there], capture_output=True, check=True)
            told.append(json.loads(done.stdout))
    return told


def test_every_line_of_the_page_is_answered_as_it_says(tmp_path: Path) -> None:
    asked, many, report, ready = run(desk(), tmp_path)
    assert asked == {"ruling": "pass", "why": "no_lease"}
    assert [each["why"] for each in many["answers"]] == ["no_lease", "no_lease"]
    assert (report["why"], ready["ready"]) == ("reported", True)
    assert json.dumps(asked) in PAGE


def test_under_a_lease_too(tmp_path: Path) -> None:
    made = desk()
    for recipient in (VICTIM, "8613900000002"):
        made.hold(recipient, "1:sms.delivery.v1:7:123456")
    asked, many, report, _ = run(made, tmp_path)
    assert json.dumps(asked) in PAGE
    assert [each["why"] for each in many["answers"]] == ["refuse", "trusted"]
    assert report["ruling"] == "pass"


def test_its_tables_have_every_reason_and_the_codes_that_are_in_the_handler() -> None:
    chinese = Path("deploy/gateways/gate.zh.md").read_text("utf-8")
    for page in (PAGE, chinese):
        assert {why for why in AnswerReason if f"`{why}`" not in page} == set()
    codes = dict(re.findall(r"public \w+ (\w+) = (\w+);", HANDLER.read_text()))
    assert codes.keys() == {"cmpp", "sgip", "smgp", "smpp"}
    for page in (PAGE, chinese, (HANDLER.parents[5] / "README.md").read_text("utf-8")):
        for protocol, code in codes.items():
            (row,) = re.findall(rf"^\| {protocol}.*$", page, re.MULTILINE | re.IGNORECASE)
            assert code in row, protocol


def test_kamailio_and_the_proxy_refuse_by_the_code_that_the_tables_name() -> None:
    script = Path("deploy/gateways/kamailio/otpguard.cfg").read_text()
    (sip,) = re.findall(r't_reply\("(\d+)", "Decline"\)', script)
    proxy = (HANDLER.parent / "SmppProxy.java").read_text()
    (smpp,) = re.findall(r'"--code", "(\w+)"', proxy)
    for name in ("gate.md", "gate.zh.md"):
        page = Path("deploy/gateways", name).read_text("utf-8")
        for protocol, code in (("SIP MESSAGE", sip), ("SMPP 3.4", smpp)):
            (row,) = re.findall(rf"^\| {protocol}.*$", page, re.MULTILINE)
            assert code in row, protocol


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_a_gate_rules_as_the_vectors_say(vector: dict[str, Any]) -> None:
    made = desk()
    made.now_ms = vector["now_ms"]
    lease = lease_of(vector["lease"])
    if lease is not None:
        made.memory.apply([Order(VICTIM, lease)])
    told = made.ask(sender=vector["sender"], text=vector["text"])
    assert told["why"] == vector["ruling"]
    assert (told["ruling"] == "pass") is vector["passes"]
    assert (vector["ruling"] == Ruling.REFUSE) is not vector["passes"]
