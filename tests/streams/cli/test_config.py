"""`otpguard config`: what the settings are and where from, a template, and a check."""

from __future__ import annotations

import json
import re
from pathlib import Path

from streams.common.errors import ConfigError
from tests.builders.streams.cli.cli import otpguard
from tests.streams.cli.called import called, refused, settings_file


def test_a_template_of_the_settings_is_a_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_bytes(
        otpguard("config", "template", OTPGUARD_DETECT_STAMPS='{"gw": "exact"}').stdout
    )
    uncommented = [
        line.removeprefix("# ") if re.match(r"# \w+ = (?!\"\"$)", line) else line
        for line in path.read_text("utf-8").splitlines()
    ]
    assert 'stamps = {"gw" = "exact"}' in uncommented
    for text in (path.read_text("utf-8"), "\n".join(uncommented)):
        path.write_text(text, "utf-8")
        shown = json.loads(otpguard("config", "show", "-c", str(path), "--json").stdout)
        values = {each["name"]: each["value"] for each in shown}
        assert values.pop("detect.stamps") == {"gw": "exact"}
        default = json.loads(otpguard("config", "show", "--json").stdout)
        assert values.items() <= {each["name"]: each["value"] for each in default}.items()


def test_a_setting_says_where_it_comes_from_and_why_it_is(tmp_path: Path) -> None:
    config = settings_file(tmp_path, "epoch = 7")
    shown = {each["name"]: each for each in json.loads(
        called("config", "show", "--json", "--config", config))}  # fmt: skip
    assert (shown["epoch"]["value"], shown["epoch"]["source"]) == (7, config)
    assert shown["mode"]["source"] == "default"
    reasons = called("config", "show", "--reasons", "--config", config)
    assert shown["epoch"]["reason"] in reasons


def test_secrets_are_masked_wherever_they_are_shown(tmp_path: Path) -> None:
    config = settings_file(
        tmp_path, '[webhook]\nurl = "https://smsc.example/x"\nsecret = "0123456789abcdef01234567"'
    )
    for words in (("show",), ("show", "--json"), ("template",)):
        assert "0123456789abcdef" not in called("config", *words, "--config", config)


def test_right_settings_have_a_fingerprint_and_their_registry_s_overrides(tmp_path: Path) -> None:
    registry = tmp_path / "own.toml"
    registry.write_text('[bank."工商银行"]\nports = ["95588"]\n', encoding="utf-8")
    config = settings_file(tmp_path, f'[recognise]\nregistry_file = "{registry}"')
    told = json.loads(called("config", "check", "--json", "--config", config))
    assert len(told["fingerprint"]) >= 8
    assert f"fingerprint {told['fingerprint']}" in called("config", "check", "--config", config)


def test_each_wrong_setting_is_named(tmp_path: Path) -> None:
    config = settings_file(tmp_path, "epoch = -1", 'mode = "on"')
    refused(ConfigError, "epoch", "config", "check", "--config", config)
    refused(ConfigError, "mode", "config", "check", "--config", config)
