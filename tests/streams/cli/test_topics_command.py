"""`otpguard topics`: shapes without a broker, rights as a script, schemas."""

from __future__ import annotations

import json
from pathlib import Path

from streams.common.errors import UnavailableError, UsageError
from tests.streams.cli.called import NOWHERE, called, refused, settings_file


def test_the_wanted_topics_are_listed_without_a_broker(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    wanted = json.loads(called("topics", "list", "--replication", "2", "--json", "-c", config))
    assert {each["replication"] for each in wanted} == {2}
    table = called("topics", "list", "-c", config)
    assert all(each["name"] in table and each["why"] for each in wanted)


def test_rights_are_a_script_of_kafka_s_own_tool(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    script = called("topics", "acls", "worker=otpguard", "feed=User:cdr", "-c", config)
    assert script.startswith("#!/")
    assert f"--bootstrap-server {NOWHERE}" in script
    assert "User:otpguard" in script
    assert "User:User" not in script
    rights = json.loads(called("topics", "acls", "worker=otpguard", "--json", "-c", config))
    assert rights


def test_a_word_that_is_no_role_and_user_is_said_with_the_roles(tmp_path: Path) -> None:
    for word in ("chef=bob", "worker", "worker="):
        refused(UsageError, "is no ROLE=USER; the roles are", "topics", "acls", word)


def test_rights_cannot_be_given_where_no_broker_is(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    words = ("topics", "acls", "--apply", "worker=otpguard", "-c", config)
    refused(UnavailableError, NOWHERE, *words)


def test_every_schema_is_one_and_another_name_is_said_with_them() -> None:
    names = called("topics", "schema").split()
    assert names
    for name in names:
        assert json.loads(called("topics", "schema", name))["title"] == name
    refused(UsageError, f"there are: {names[0]}", "topics", "schema", "nothing")
