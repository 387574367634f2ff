"""`otpguard enforce`: which gateway, by which settings, and what has to be meant."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from streams.common.errors import ConfigError, UnavailableError
from tests.builders.streams.cli.override import otpguard
from tests.builders.streams.gateways.enforce.kannel import world as kannel
from tests.enforce.kannel_world import VICTIM, KannelWorld, order
from tests.enforce.services import KANNEL_PASSWORD
from tests.ports import free_port
from tests.streams.cli.called import NOWHERE, refused, settings_file

__all__ = ["kannel"]


def test_kannel_is_not_throttled_by_somebody_who_does_not_know_what_it_cannot_do(
    tmp_path: Path,
) -> None:
    (tmp_path / "otpguard.toml").write_text('kafka.bootstrap = "127.0.0.1:9"')
    done = otpguard(tmp_path, "enforce", "kannel")
    assert done.returncode == 2
    assert "--accept-whole-recipient" in done.stderr


def test_a_supervisor_can_empty_kannels_list_when_the_adapter_will_not_come_back(
    kannel: KannelWorld, tmp_path: Path
) -> None:
    with closing(kannel.gateway()) as gateway:
        gateway.apply([order(VICTIM)])
    assert not kannel.passes(VICTIM)
    (tmp_path / "otpguard.toml").write_text(
        f"""
[kannel]
admin_url = "http://127.0.0.1:{kannel.bearerbox.port}"
password = "{KANNEL_PASSWORD}"
list_file = "{kannel.list_file}"
list_port = {kannel.list_port}
"""
    )
    assert otpguard(tmp_path, "enforce", "kannel", "--clear").returncode == 0
    assert kannel.passes(VICTIM)


def test_an_adapter_without_a_broker_is_one_sentence(tmp_path: Path) -> None:
    config = settings_file(tmp_path, f"http.port = {free_port()}")
    refused(UnavailableError, NOWHERE, "enforce", "log", "--config", config)


def test_a_webhook_needs_its_address_and_its_secret(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    refused(ConfigError, "webhook", "enforce", "webhook", "--config", config)


def test_a_kannel_that_is_away_keeps_nobody_on_the_list_that_it_will_fetch(tmp_path: Path) -> None:
    listed = tmp_path / "kannel.list"
    listed.write_text(f"{VICTIM}\n")
    config = settings_file(
        tmp_path,
        f"""[kannel]
admin_url = "http://{NOWHERE}"
list_file = "{listed}"
list_port = {free_port()}
password = "x"
""",
    )
    says = "kannel does not take the empty list"
    refused(UnavailableError, says, "enforce", "kannel", "--clear", "--config", config)
    assert listed.read_text() == ""
