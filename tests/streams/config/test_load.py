"""Settings are read from one file and the environment; each thing wrong is a line."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import pytest

from streams.common.errors import ConfigError, Exit
from streams.config import Settings, effective, load
from streams.config.load import REMOVED, _names
from tests.builders.streams.config.load import written


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("OTPGUARD_")]:
        monkeypatch.delenv(name)


def check_refused(folder: Path, text: str, *sentences: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text)).params()
    assert caught.value.exit_code is Exit.CONFIG
    assert str(caught.value).splitlines() == list(sentences)


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


def test_a_variable_that_is_misspelt_is_named_with_the_one_that_may_be_meant(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTPGUARD_KAFAK_BOOTSTRAP", "secret:1")
    monkeypatch.setenv("OTPGUARD_WORKER_1_SERVICE_HOST".replace("WORKER_1", "X"), "10.0.0.1")
    monkeypatch.setenv("OTPGUARD_APP_ID", "guard")  # a setting of no section
    load()
    assert [each.getMessage() for each in caplog.records] == [
        "unknown variable OTPGUARD_KAFAK_BOOTSTRAP. Did you mean OTPGUARD_KAFKA_BOOTSTRAP?"
    ]


@pytest.mark.parametrize(("mark", "end"), [(BOM_UTF8, b"\n"), (b"", b"\r"), (b"", b"\r\n")])
def test_a_file_with_a_byte_order_mark_or_other_line_ends_is_read(
    tmp_path: Path, mark: bytes, end: bytes
) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_bytes(mark + end.join([b'mode = "enforce"', b"[input]", b'country = "DE"', b""]))
    assert (load(path).mode, load(path).input.country) == ("enforce", "DE")


def test_each_thing_wrong_has_a_line_that_names_it(tmp_path: Path) -> None:
    check_refused(
        tmp_path,
        'mode = "enfrce"\nspeed = 1\n[kafka]\nbootstrp = "k:1"\n[worker]\nstall_s = 9',
        "mode: Input should be 'shadow' or 'enforce'",
        "kafka.bootstrp: unknown setting. Did you mean kafka.bootstrap?",
        "worker.stall_s: Input should be greater than or equal to 10",
        "speed: unknown setting",
    )


@pytest.mark.parametrize("name", REMOVED)
def test_a_removed_setting_says_what_to_do_instead(name: str, tmp_path: Path) -> None:
    section, _, key = name.rpartition(".")
    check_refused(tmp_path, f"[{section}]\n{key} = 1", f"{name}: {REMOVED[name]}")


PATTERNED = [
    f'{name} = "¿ ¿"'
    for name, field in _names().items()
    if any(getattr(each, "pattern", None) for each in field.metadata)
]
"""Settings that take only some texts, each with one that it does not take."""


@pytest.mark.parametrize("line", [*PATTERNED, 'notify.to_prefixes = {"8x6" = 5}'])
def test_a_text_of_another_form_is_told_the_form_and_no_regular_expression(
    line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, line))
    (said,) = str(caught.value).splitlines()
    assert said.startswith(f"{line.partition(' ')[0]}: not of the form that is wanted (")
    assert "^" not in said
    assert "Undefined" not in said


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file or directory$"):
        load(tmp_path / "none.toml")


def test_wrong_values_are_not_repeated_in_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPGUARD_KAFKA_PASSWORD", "hunter2-secret")
    monkeypatch.setenv("OTPGUARD_KAFKA_SECURITY", "sasl_ssl")
    monkeypatch.setenv("OTPGUARD_MODE", "hunter2-secret")
    with pytest.raises(ConfigError) as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_a_name_of_our_own_with_the_prefix_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPGUARD_HTTP_PRT", "1")
    with pytest.raises(ConfigError, match=r"http\.prt: unknown setting"):
        load()


@pytest.mark.parametrize("text", ["mode = ", "[kafka\n", '= "x"'])
def test_a_file_that_is_no_toml_is_one_line_with_its_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"otpguard\.toml: ") as caught:
        load(written(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 1


def test_the_file_that_is_asked_for_beats_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTPGUARD_CONFIG", str(tmp_path / "absent.toml"))
    assert load(written(tmp_path, "epoch = 7")).epoch == 7
    with pytest.raises(ConfigError, match="absent"):
        load()


def test_every_setting_is_told_once_in_the_order_of_the_file() -> None:
    names = [each["name"] for each in effective(load())]
    assert len(names) == len(set(names))
    sections = [name.partition(".")[0] for name in names if "." in name]
    assert sections == sorted(sections, key=list(dict.fromkeys(sections)).index)


def test_a_secret_in_an_address_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPGUARD_REDIS_URL", "redis://user:hunter2@redis:6379/0")
    shown = {each["name"]: each["value"] for each in effective(load())}
    assert "hunter2" not in shown["redis.url"]
    assert "redis:6379" in shown["redis.url"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTPGUARD_FEED", "redis --consumer feed-1"), ("OTPGUARD_CONSOLE_PROXIES", "10.0.0.0/8")],
)
def test_a_variable_of_a_section_or_list_that_is_no_json_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTPGUARD_KAFKA_PASSWORD", "not JSON either")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"^{name}: no JSON$"):
        load()


@pytest.mark.parametrize("content", ["# 验证码\n".encode("gbk"), b"a = " + b"[" * 100_000])
def test_a_file_that_is_no_text_or_nests_without_end_is_named(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"otpguard\.toml: ") as caught:
        load(path)
    assert caught.value.exit_code is Exit.CONFIG
