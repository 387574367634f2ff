"""Tables of the settings: units, defaults and reasons, secrets; closed and frozen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from streams.common.errors import ConfigError
from streams.config import Settings, effective, load
from streams.config.sections.enforcement import GateSettings, Webhook
from streams.config.sections.kafka import Kafka
from streams.config.sections.section import Section
from tests.builders.streams.config.load import written

UNITS = ("_s", "_ms", "_bytes", "_bytes_max", "_bytes_per_s", "_days", "_per_minute")


UNITS = ("_s", "_ms", "_bytes", "_bytes_max", "_bytes_per_s", "_days", "_per_minute")


def leaves(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def test_every_setting_has_a_default_and_a_reason() -> None:
    for name, field in leaves(Settings):
        assert field.description, name
        assert not field.is_required(), name


def test_durations_and_sizes_carry_their_unit() -> None:
    durations = ("timeout", "deadline", "cycle", "heartbeat", "lease", "quiet", "window", "stall")
    for name, _ in leaves(Settings):
        last = name.rpartition(".")[2]
        if any(word in last for word in durations) and "leases" not in last:
            assert last.endswith(UNITS), name


@pytest.mark.parametrize("written_as", ["inf", "nan"])
def test_no_setting_is_without_end(tmp_path: Path, written_as: str) -> None:
    """Of `input.ahead_max_s` a worker ended in a trace: its milliseconds are no integer."""
    names = [name for name, field in leaves(Settings) if field.annotation is float]
    assert len(names) > 20
    for name in names:
        table, _, key = name.rpartition(".")
        with pytest.raises(ConfigError, match=re.escape(name)):
            load(written(tmp_path, f"[{table}]\n{key} = {written_as}"))


def test_no_time_is_longer_than_its_milliseconds_can_be_counted(tmp_path: Path) -> None:
    """Of `input.ahead_max_s = 1e308` a worker ended in a trace that `config check` had not seen."""
    names = [
        name
        for name, field in leaves(Settings)
        if field.annotation is float and name.endswith(("_s", "_ms"))
    ]
    assert len(names) > 15
    for name in names:
        table, _, key = name.rpartition(".")
        with pytest.raises(ConfigError, match=re.escape(name.rpartition(".")[2])):
            load(written(tmp_path, f"[{table}]\n{key} = 1e308"))


def test_a_secret_comes_from_a_file_and_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("hunter2-secret\n", encoding="utf-8")
    monkeypatch.setenv("OTPGUARD_KAFKA_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("OTPGUARD_KAFKA_SECURITY", "sasl_ssl")
    monkeypatch.setenv("OTPGUARD_KAFKA_USERNAME", "otpguard-worker")
    settings = load()
    assert settings.kafka.password.get_secret_value() == "hunter2-secret"
    shown = {each["name"]: each["value"] for each in effective(settings)}
    assert shown["kafka.password"] == "*****"
    assert "hunter2" not in repr(settings) + str(shown) + settings.model_dump_json()


def test_a_section_is_closed_and_frozen() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Kafka(bootstrp="k:1")  # type: ignore[call-arg]
    kafka = Kafka()
    with pytest.raises(ValidationError, match="frozen"):
        kafka.username = "x"  # type: ignore[misc]
    for section in Section.__subclasses__():
        assert section.model_config.get("frozen"), section


@pytest.mark.parametrize("section", [Kafka, Webhook])
def test_a_secret_is_given_once_and_its_first_line_counts(
    section: type[Section], tmp_path: Path
) -> None:
    name = "password" if section is Kafka else "secret"
    path = tmp_path / "secret"
    path.write_bytes(b"0123456789abcdef01234567\r\nnot this")
    url = {"url": "https://smsc.example/x"} if section is Webhook else {}
    made = section(**{f"{name}_file": path, **url})
    assert getattr(made, name).get_secret_value() == "0123456789abcdef01234567"
    with pytest.raises(ValidationError, match="exclude each other"):
        section(**{f"{name}_file": path, name: "0123456789abcdef01234567", **url})


def test_an_empty_password_file_is_for_a_broker_that_asks_for_none(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.touch()
    assert Kafka(password_file=path).password.get_secret_value() == ""


@pytest.mark.parametrize(("section", "name"), [(Webhook, "secret"), (GateSettings, "token")])
@pytest.mark.parametrize("octets", [b"", b"\n", b"\r\nsecret"])
def test_an_empty_secret_is_not_taken_for_none(
    section: type[Section], name: str, octets: bytes, tmp_path: Path
) -> None:
    """A gate whose token is lost would answer every stranger."""
    path = tmp_path / "secret"
    path.write_bytes(octets)
    url = {"url": "https://smsc.example/x"} if section is Webhook else {}
    with pytest.raises(ValidationError, match="its first line is empty"):
        section(**{f"{name}_file": path, **url})
