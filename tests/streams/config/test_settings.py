"""Settings as a whole: what they make of the detector, and their fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from detectors import chain
from detectors.recognise.recogniser import RecogniseParams
from detectors.suspects.clocks import ClockClass
from streams.common.errors import ConfigError
from streams.config import Detect, Settings


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


def test_unwritten_settings_are_those_that_checks_let_pass() -> None:
    assert Settings.defaults() == Settings()
    assert Settings.defaults().params() == Settings().params()


def test_detection_without_settings_is_the_detector_s_own() -> None:
    params = Settings().params()
    plain = chain.Params()
    signed = replace(plain.episode, version=params.episode.version, config=params.episode.config)
    assert params == replace(plain, episode=signed, seed=params.seed)


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


def test_lists_of_the_network_have_keys_of_their_own_that_only_who_needs_them_reads(
    tmp_path: Path,
) -> None:
    assert not Settings().intake().listed
    assert Settings().params().list_keys == ()
    new, old, short = (tmp_path / name for name in ("new", "old", "short"))
    new.write_text("the key of today, x\nsecond line")
    old.write_text("the key of before..\r\n")
    short.write_text("short")
    both = {"hot": "network", "hot_key_file": new, "hot_old_key_file": old}
    settings = Settings(detect=both)
    assert settings.list_keys() == (b"the key of today, x", b"the key of before..")
    assert settings.params().list_keys == settings.list_keys()
    assert settings.intake().listed
    assert "the key" not in repr(settings.params()) + repr(settings) + settings.model_dump_json()
    for wrong in (
        {"hot_key_file": tmp_path / "absent"}, {"hot_key_file": short}, {"hot_key": "short"}, {},
        {"hot_key": "the key of today, x", "hot_key_file": new},
    ):  # fmt: skip
        settings = Settings(detect={"hot": "network", **wrong})  # others do without it
        with pytest.raises(ConfigError, match="detect"):
            settings.params()


@pytest.mark.parametrize("use", [Settings.fingerprint, Settings.params])
def test_a_file_of_platforms_that_is_not_there_is_said_by_whoever_reads_it(
    tmp_path: Path, use: Callable[[Settings], object]
) -> None:
    path = tmp_path / "absent.toml"
    settings = Settings(recognise={"registry_file": path})
    with pytest.raises(ConfigError, match=f"recognise.registry_file {path}: .*No such file"):
        use(settings)
