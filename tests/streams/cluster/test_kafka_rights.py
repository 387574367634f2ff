"""Rights: what each role may do and what none may, and the script that says so to Kafka."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from streams.cluster.kafka_rights import ROLES, Right, names, rights, script
from streams.config import Settings

SETTINGS = Settings(app_id="otp-guard.1")
ROOT = Path(__file__).parents[3]


def may(role: str) -> set[tuple[str, str]]:
    """Role of a topic, operation."""
    by_name = {name: each for each, name in names(SETTINGS).items()}
    return {
        (by_name[right.name], right.operation)
        for right in rights(SETTINGS, [(role, "User:x")])
        if right.kind == "topic"
    }


@pytest.mark.parametrize("role", ROLES)
def test_only_a_worker_writes_leases_and_only_few_read_what_was_refused(role: str) -> None:
    allowed = may(role)
    assert (("throttle", "WRITE") in allowed) is (role == "worker")
    assert (("incident", "WRITE") in allowed) is (role == "worker")
    assert (("platform", "WRITE") in allowed) is (role == "agent")
    assert (("platform_parts", "WRITE") in allowed) is (role == "worker")
    assert (("campaign", "WRITE") in allowed) is (role == "agent")
    writes_input = role in ("gate", "lists", "feed", "canary", "privacy")
    assert (("input", "WRITE") in allowed) is writes_input
    assert (("counts", "WRITE") in allowed) is (role in ("adapter", "gate"))
    assert (("dead_letters", "READ") in allowed) is (role == "privacy")
    assert (("input", "READ") in allowed) is (role in ("worker", "analyst", "replies"))


def test_the_desk_may_say_words_about_one_and_none_about_everyone() -> None:
    apart = Settings(topics={"everyone": "otpguard.override.all.v1"})
    by_name = {name: each for each, name in names(apart).items()}
    written = {
        by_name[right.name]
        for right in rights(apart, [("desk", "User:x")])
        if right.kind == "topic" and right.operation == "WRITE"
    }
    assert written == {"override", "audit", "notice"}


def test_who_acts_writes_the_audit_and_reads_it_not() -> None:
    for role in ("support", "duty", "signal", "replies"):
        assert ("audit", "WRITE") in may(role)
        assert ("audit", "READ") not in may(role)
    assert may("auditor") == {("audit", "READ"), ("audit", "DESCRIBE")}


def test_who_only_looks_reads_and_writes_nothing() -> None:
    assert {operation for _, operation in may("monitor")} == {"DESCRIBE", "DESCRIBE_CONFIGS"}
    groups = [r for r in rights(SETTINGS, [("monitor", "User:x")]) if r.kind == "group"]
    assert [(r.name, r.operation) for r in groups] == [(SETTINGS.app_id, "DESCRIBE")]


def test_who_answers_callers_cannot_read_the_messages_of_a_flood_and_the_desk_can() -> None:
    assert not {operation for topic, operation in may("support") if topic == "incident"}
    assert ("incident", "READ") in may("desk")


def test_who_answers_callers_sees_how_far_the_workers_are_and_no_event() -> None:
    seen = ("input", "dead_letters")
    assert {(topic, operation) for topic, operation in may("support") if topic in seen} == {
        (topic, "DESCRIBE") for topic in seen
    }
    groups = [r for r in rights(SETTINGS, [("support", "User:x")]) if r.kind == "group"]
    assert [(r.name, r.operation, r.prefixed) for r in groups] == [
        (SETTINGS.app_id, "DESCRIBE", False),
        (f"{SETTINGS.app_id}-enforce-", "DESCRIBE", True),
    ]


@pytest.mark.parametrize("role", ["support", "duty", "desk"])
def test_who_speaks_to_gateways_sees_their_signs_of_life(role: str) -> None:
    given = rights(SETTINGS, [(role, "User:x")])
    groups = {(r.name, r.operation) for r in given if r.kind == "group" and r.prefixed}
    assert groups == {(f"{SETTINGS.app_id}-enforce-", "DESCRIBE")}


def test_an_adapter_may_be_in_any_group_with_its_app_s_prefix() -> None:
    groups = {r for r in rights(SETTINGS, [("adapter", "User:x")]) if r.kind == "group"}
    assert {(r.name, r.prefixed, r.operation) for r in groups} == {
        ("otp-guard.1-enforce-", True, "DESCRIBE"),
        ("otp-guard.1-enforce-", True, "READ"),
    }


def test_a_topic_of_two_roles_gets_each_right_once() -> None:
    shared = SETTINGS.model_copy(
        update={"topics": SETTINGS.topics.model_copy(update={"everyone": "x", "override": "x"})}
    )
    given = list(rights(shared, [("support", "User:x")]))
    assert len(given) == len(set(given))


def test_a_script_says_every_right_to_kafka_s_own_tool_whatever_names_hold(tmp_path: Path) -> None:
    given = list(rights(SETTINGS, [("worker", "User:CN=a b,O='c'"), ("adapter", "User:$x")]))
    said = tmp_path / "said"
    tool = tmp_path / "kafka-acls.sh"
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$#" "$@" >> {shlex.quote(str(said))}\n')
    tool.chmod(0o755)
    path = tmp_path / "acls.sh"
    path.write_text(script(given, "k1:9092,k2:9092"))
    environment = {"KAFKA_ACLS": str(tool), "COMMAND_CONFIG": "admin.properties", "PATH": "/bin"}
    subprocess.run(["sh", str(path)], check=True, env=environment)
    assert heard(said) == set(given)


def heard(said: Path) -> set[Right]:
    """The rights in the words that the tool was called with."""
    operations = {"Read": "READ", "Write": "WRITE", "Describe": "DESCRIBE",
                  "DescribeConfigs": "DESCRIBE_CONFIGS"}  # fmt: skip
    found, words = set(), said.read_text().split("\n")
    while len(words) > 1:
        call, words = words[1 : 1 + int(words[0])], words[1 + int(words[0]) :]
        assert call[:4] == ["--bootstrap-server", "k1:9092,k2:9092", "--command-config",
                            "admin.properties"]  # fmt: skip
        kind = "topic" if "--topic" in call else "group"
        who, name = call[call.index("--allow-principal") + 1], call[call.index(f"--{kind}") + 1]
        for at, word in enumerate(call):
            if word == "--operation":
                found.add(Right(who, kind, name, operations[call[at + 1]], "prefixed" in call))  # type: ignore[arg-type]
    return found


def test_a_script_without_credentials_gives_nothing() -> None:
    ran = subprocess.run(
        ["sh", "-c", script([], "k:9092")], capture_output=True, text=True, env={}, check=False
    )
    assert ran.returncode != 0
    assert "credentials of an administrator" in ran.stderr


def test_the_table_for_people_says_what_the_roles_may() -> None:
    """It lacked a role, and four rights of others."""
    page = (ROOT / "deploy" / "SECURITY.md").read_text("utf-8")
    words = {"acknowledgements": "acks"}
    told: dict[str, tuple[set[str], set[str]]] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 4 and cells[1] in ROLES:
            reads, writes = (
                {words.get(one, one.replace(" ", "_")) for one in cell.split(", ") if one}
                for cell in cells[2:4]
            )
            told[cells[1]] = reads, writes
    assert told == {
        name: (set(role.reads.split()), set(role.writes.split())) for name, role in ROLES.items()
    }
