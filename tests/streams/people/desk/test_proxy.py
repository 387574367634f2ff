"""A proxy's word counts from a listed peer with the secret, and from nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cases.store.roles import DeskRole
from tests.streams.people.desk.world import World

SECRET = "s3cret-of-the-proxy"
SAID = {
    "x-otpguard-proxy": SECRET, "x-forwarded-user": "li.lei", "x-forwarded-groups": "hotline, x",
}  # fmt: skip


@pytest.fixture
def behind(tmp_path: Path) -> World:
    return World(
        tmp_path, enter=("proxy",), proxies=("10.0.0.5/32",), proxy_secret=SECRET,
        roles={"hotline": "agent", "leads": "lead"},
    )  # fmt: skip


def test_whom_the_proxy_names_is_in(behind: World) -> None:
    client = behind.client("10.0.0.5")
    done = client.get("/login", headers=SAID)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    account = behind.store.accounts.get("li.lei")
    assert account.roles == {DeskRole.AGENT}
    assert account.source == "proxy"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("10.0.0.6", SAID),
        ("127.0.0.1", SAID),
        ("10.0.0.5", {**SAID, "x-otpguard-proxy": "guessed"}),
        ("10.0.0.5", {**SAID, "x-otpguard-proxy": ""}),
    ],
)
def test_whoever_else_says_so_is_not_believed(
    behind: World, peer: str, headers: dict[str, str]
) -> None:
    client = behind.client(peer)
    assert client.get("/login", headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 303
    assert behind.store.accounts.all() == []


def test_who_says_so_without_end_fills_no_audit(behind: World) -> None:
    client = behind.client("10.9.9.9")
    statuses = [client.get("/login", headers=SAID).status_code for _ in range(25)]
    assert statuses == [403] * 20 + [429] * 5
    assert len(behind.ledger.lines) == 20


def test_without_the_secret_nobody_is_named(behind: World) -> None:
    client = behind.client("10.0.0.5")
    headers = {"x-forwarded-user": "li.lei", "x-forwarded-groups": "hotline"}
    page = client.get("/login", headers=headers)
    assert page.status_code == 200
    assert 'type="password"' not in page.text
    assert behind.store.accounts.all() == []


def test_who_is_in_no_group_of_ours_stays_outside(behind: World) -> None:
    headers = {**SAID, "x-forwarded-groups": "others"}
    assert behind.client("10.0.0.5").get("/login", headers=headers).status_code == 403


def test_a_proxy_takes_over_no_local_account(behind: World) -> None:
    behind.person("li.lei", DeskRole.ADMIN)
    assert behind.client("10.0.0.5").get("/login", headers=SAID).status_code == 403
    assert behind.store.accounts.get("li.lei").roles == {DeskRole.ADMIN}
