"""Settings: where they come from, what is refused, and that secrets stay secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from detectors.recognise.recogniser import RecogniseParams
from detectors.suspects.clocks import ClockClass
from streams.config import Detect, Settings, effective, load
from streams.errors import ConfigError, Exit

UNITS = ("_s", "_ms", "_bytes", "_bytes_max", "_bytes_per_s", "_days", "_per_minute")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("OTPGUARD_")]:
        monkeypatch.delenv(name)


def written(folder: Path, text: str) -> Path:
    path = folder / "otpguard.toml"
    path.write_text(text, encoding="utf-8")
    return path


def check_refused(folder: Path, text: str, *sentences: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text)).params()
    assert caught.value.exit_code is Exit.CONFIG
    assert str(caught.value).splitlines() == list(sentences)


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


def test_the_file_beats_defaults_and_the_environment_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, 'mode = "enforce"\n[kafka]\nbootstrap = "k1:9092"\nheartbeat_s = 1.5')
    monkeypatch.setenv("OTPGUARD_KAFKA_BOOTSTRAP", "k2:9092,k3:9093")
    monkeypatch.setenv("OTPGUARD_HTTP_PORT", "9999")
    settings = load(path)
    assert (settings.mode, settings.kafka.heartbeat_s) == ("enforce", 1.5)
    assert (settings.kafka.bootstrap, settings.http.port) == ("k2:9092,k3:9093", 9999)
    sources = {each["name"]: each["source"] for each in effective(settings, path)}
    assert sources["mode"] == sources["kafka.heartbeat_s"] == str(path)
    assert sources["kafka.bootstrap"] == "OTPGUARD_KAFKA_BOOTSTRAP"
    assert sources["http.port"] == "OTPGUARD_HTTP_PORT"
    assert sources["http.host"] == "default"


def test_the_file_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTPGUARD_CONFIG", str(written(tmp_path, "epoch = 7")))
    assert load().epoch == 7


def test_other_variables_with_the_prefix_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPGUARD_TEST_BROKER", "127.0.0.1:9092")
    assert load().model_dump() == Settings().model_dump()


def test_each_thing_wrong_has_a_line_that_names_it(tmp_path: Path) -> None:
    check_refused(
        tmp_path,
        'mode = "enfrce"\nspeed = 1\n[kafka]\nbootstrp = "k:1"\n[worker]\nstall_s = 9',
        "mode: Input should be 'shadow' or 'enforce'",
        "kafka.bootstrp: unknown setting",
        "worker.stall_s: Input should be greater than or equal to 10",
        "speed: unknown setting",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[kafka]\nbootstrap = "nowhere"', "kafka.bootstrap: String should match pattern"),
        ('[kafka]\nsecurity = "sasl_ssl"', "kafka: security sasl_ssl needs username"),
        ('[kafka]\ncert_file = "a.pem"', "kafka: cert_file and key_file belong together"),
        ('[kafka]\nca_file = "/nowhere/ca.pem"', "kafka: no such file: /nowhere/ca.pem"),
        ('[kafka]\npassword_file = "/nowhere/p"', "kafka: password_file /nowhere/p: No such file"),
        ("[kafka]\nheartbeat_s = 3", "kafka: heartbeat_s must be at most a third"),
        ('[input]\ncountry = "XX"', "input: country XX has no numbering plan"),
        ('[input]\ncountry = "China"', "input.country: String should match pattern"),
        ("[detect]\nlease_s = 1800", "detect: a lease must end before its episode does"),
        ("[detect]\nrecipients_max = 999999999", "detect: rows_max must be"),
        ("mode = ", "Invalid value"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(written(tmp_path, text)).params()


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file or directory$"):
        load(tmp_path / "none.toml")


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


def test_wrong_values_are_not_repeated_in_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPGUARD_KAFKA_PASSWORD", "hunter2-secret")
    monkeypatch.setenv("OTPGUARD_KAFKA_SECURITY", "sasl_ssl")
    monkeypatch.setenv("OTPGUARD_MODE", "hunter2-secret")
    with pytest.raises(ConfigError) as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_settings_reach_the_detector() -> None:
    detect = Detect(lease_s=300, cold_known=3, p_novel=0.3, stamps={"gw1": "minute"})
    settings = Settings(mode="enforce", epoch=4, detect=detect)
    params = settings.params()
    assert params.episode.lease_ms == 300_000
    assert (params.episode.mode, params.episode.epoch, params.episode.cold_known) == (
        "enforce", 4, 3,
    )  # fmt: skip
    assert params.judge.p_novel == 0.3
    assert params.stamps.gateways == {"gw1": ClockClass.MINUTE}
    assert params.episode.config == settings.fingerprint()


def test_defaults_are_those_of_the_detector() -> None:
    defaults = Settings().recognise
    assert RecogniseParams(defaults.confidence_min, defaults.templates_max) == RecogniseParams()


def test_the_fingerprint_changes_with_what_decides_and_with_nothing_else(tmp_path: Path) -> None:
    registry = tmp_path / "registry.toml"
    registry.write_text('[bank]\n"示例银行" = {}', encoding="utf-8")
    named = {"registry_file": registry}
    prints = {
        Settings().fingerprint(),
        Settings(mode="enforce").fingerprint(),
        Settings(epoch=9).fingerprint(),
        Settings(detect={"lease_s": 601}).fingerprint(),
        Settings(input={"country": "DE"}).fingerprint(),
        Settings(recognise={"confidence_min": 0.6}).fingerprint(),
        Settings(recognise=named).fingerprint(),
    }
    assert len(prints) == 7
    before = Settings(recognise=named).fingerprint()
    registry.write_text('[bank]\n"示例银行二" = {}', encoding="utf-8")
    assert Settings(recognise=named).fingerprint() != before
    assert Settings(http={"port": 1}, kafka={"bootstrap": "k:1"}).fingerprint() in prints


def test_the_operators_registry_lies_over_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_text('[bank]\n"示例银行" = {ports = ["95999"]}', encoding="utf-8")
    registry, _ = Settings(recognise={"registry_file": path}).registry()
    assert registry.signature("示例银行") is not None
    path.write_text("[bnk]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="registry_file"):
        Settings(recognise={"registry_file": path}).recogniser()
