"""Who may enter, and for how long: passwords, lock-out, sessions that end."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from streams.cases.store.accounts import (
    ABSOLUTE_MS,
    FAILED_MAX,
    IDLE_MS,
    LOCK_MS,
    SEEN_STEP_MS,
    Accounts,
)
from streams.cases.store.people_tables import accounts, sessions
from streams.cases.store.roles import DeskRole
from streams.common.errors import UsageError
from tests.streams.cases.store.filled import FilledStore, opened

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def store(tmp_path: Path) -> FilledStore:
    made = opened(tmp_path)
    made.accounts = Accounts(made.people, lambda: made.at_ms, CHEAP)
    made.accounts.add("Ann", [DeskRole.AGENT, DeskRole.LEAD], password=PASSWORD, shown_name="Ann W")
    return made


def test_an_account_is_found_by_its_name_however_it_is_written(store: FilledStore) -> None:
    found = store.accounts.get(" ANN ")
    assert (found.name, found.shown_name) == ("ann", "Ann W")
    assert found.roles == {DeskRole.AGENT, DeskRole.LEAD}
    assert [each.name for each in store.accounts.all()] == ["ann"]
    with pytest.raises(UsageError, match="already"):
        store.accounts.add("ann", [], password=PASSWORD)
    for bad in ("", "a b", "x" * 65, "a\nb"):
        with pytest.raises(UsageError, match="name"):
            store.accounts.add(bad, [], password=PASSWORD)


def test_the_right_password_enters_and_is_nowhere_in_the_store(
    store: FilledStore, tmp_path: Path
) -> None:
    assert store.accounts.verify("ann", PASSWORD) == store.accounts.get("ann")
    assert store.accounts.get("ann").last_login_ms == store.at_ms
    assert store.accounts.verify("ann", PASSWORD + "!") is None
    assert store.accounts.verify("bob", PASSWORD) is None
    assert not any(PASSWORD.encode() in path.read_bytes() for path in tmp_path.iterdir())
    for short in ("elevenchars", "x" * 257):
        with pytest.raises(UsageError, match="characters"):
            store.accounts.add("bob", [], password=short)


def test_wrong_passwords_lock_for_a_while_and_the_right_one_does_not_open(
    store: FilledStore,
) -> None:
    for _ in range(FAILED_MAX - 1):
        store.accounts.verify("ann", "wrong")
    assert store.accounts.verify("ann", PASSWORD) is not None, "and it counts anew"
    for _ in range(FAILED_MAX):
        store.accounts.verify("ann", "wrong")
    assert store.accounts.verify("ann", PASSWORD) is None
    store.at_ms += LOCK_MS - 1
    assert store.accounts.verify("ann", PASSWORD) is None
    store.at_ms += 1
    assert store.accounts.verify("ann", PASSWORD) is not None


def test_an_administrator_unlocks_disables_and_gives_a_new_password(store: FilledStore) -> None:
    for _ in range(FAILED_MAX):
        store.accounts.verify("ann", "wrong")
    store.accounts.change("ann", unlock=True)
    assert store.accounts.verify("ann", PASSWORD) is not None
    store.accounts.change("ann", password="another horse battery", language="en")
    assert store.accounts.verify("ann", PASSWORD) is None
    found = store.accounts.verify("ann", "another horse battery")
    assert found is not None
    assert found.language == "en"
    store.accounts.change("ann", disabled=True)
    assert store.accounts.verify("ann", "another horse battery") is None


def test_whoever_another_vouches_for_takes_over_no_local_account(store: FilledStore) -> None:
    assert store.accounts.admit_vouched("ann", "oidc", [DeskRole.ADMIN]) is None
    first = store.accounts.admit_vouched("Bob", "oidc", [DeskRole.AGENT], "Bob B")
    assert first is not None
    assert store.accounts.verify("bob", "") is None, "he has no password"
    again = store.accounts.admit_vouched("bob", "oidc", [DeskRole.AUDITOR])
    assert again is not None
    assert again.roles == {DeskRole.AUDITOR}
    assert again.shown_name == "Bob B"
    assert store.accounts.admit_vouched("bob", "proxy", [DeskRole.ADMIN]) is None
    store.accounts.change("bob", disabled=True)
    assert store.accounts.admit_vouched("bob", "oidc", [DeskRole.AGENT]) is None


def test_a_session_is_known_by_its_id_which_the_store_does_not_hold(
    store: FilledStore, tmp_path: Path
) -> None:
    session_id, begun = store.accounts.begin(store.accounts.get("ann"), "local", "192.0.2.7")
    assert store.accounts.session(session_id) == begun
    assert store.accounts.session("x" * 43) is None
    assert begun.csrf
    assert begun.csrf != session_id
    assert not any(session_id.encode() in path.read_bytes() for path in tmp_path.iterdir())


def test_a_session_ends_when_idle_and_in_any_case(store: FilledStore) -> None:
    ann = store.accounts.get("ann")
    session_id, _ = store.accounts.begin(ann, "local", "")
    store.at_ms += IDLE_MS
    assert store.accounts.session(session_id) is None
    session_id, begun = store.accounts.begin(ann, "local", "")
    end_ms = begun.absolute_end_ms
    while store.at_ms < end_ms - IDLE_MS:
        store.at_ms += IDLE_MS - 1
        found = store.accounts.session(session_id)
        assert found is not None, "whoever works stays in"
        assert found.idle_end_ms == min(end_ms, store.at_ms + IDLE_MS)
    store.at_ms = end_ms
    assert store.accounts.session(session_id) is None
    assert end_ms - begun.created_ms == ABSOLUTE_MS


def test_not_every_look_writes(store: FilledStore) -> None:
    session_id, begun = store.accounts.begin(store.accounts.get("ann"), "local", "")
    store.at_ms += SEEN_STEP_MS - 1
    found = store.accounts.session(session_id)
    assert found is not None
    assert found.idle_end_ms == begun.idle_end_ms
    with store.people.connect() as connection:
        assert connection.scalar(select(sessions.c.seen_ms)) == begun.created_ms


def test_sessions_end_one_by_one_all_at_once_and_with_rights(store: FilledStore) -> None:
    ann = store.accounts.get("ann")
    ids = [store.accounts.begin(ann, "local", "")[0] for _ in range(3)]
    store.accounts.end(ids[0])
    assert [store.accounts.session(each) is None for each in ids] == [True, False, False]
    assert store.accounts.end_all("ann") == 2
    for change in ({"roles": [DeskRole.AGENT]}, {"password": PASSWORD}, {"disabled": True}):
        session_id, _ = store.accounts.begin(store.accounts.get("ann"), "local", "")
        store.accounts.change("ann", **change)
        assert store.accounts.session(session_id) is None, change
        store.accounts.change("ann", disabled=False)


def test_a_session_never_has_more_roles_than_the_account_has_now(store: FilledStore) -> None:
    session_id, _ = store.accounts.begin(store.accounts.get("ann"), "local", "")
    with store.people.begin() as connection:
        connection.execute(accounts.update().values(roles="agent auditor"))
    found = store.accounts.session(session_id)
    assert found is not None
    assert found.roles == {DeskRole.AGENT}
