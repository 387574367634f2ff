"""Settings by country: each loads, reads its country's numbers, and trusts what it names."""

from __future__ import annotations

from pathlib import Path

import phonenumbers
import pytest

from detectors.model.event import Trust
from detectors.recognise.platform.registry import Registry
from streams.config import Settings, load
from tests.deploy.tools import ROOT

COUNTRIES = ROOT / "deploy" / "countries"
CODES = {"china": 86, "india": 91, "indonesia": 62, "brazil": 55, "nigeria": 234, "germany": 49}
TRUSTED = {
    "china": ("95588", Trust.BANK),
    "india": ("VM-HDFCBK-S", Trust.BANK),  # shipped
    "indonesia": ("", Trust.NONE),  # no sender there is public knowledge and could be checked
    "brazil": ("40199", Trust.EMERGENCY),
    "nigeria": ("55019", Trust.GOVERNMENT),
    "germany": ("", Trust.NONE),  # as in Indonesia
}


def settings_of(name: str, folder: Path) -> Settings:
    """As the file says, its registry beside it."""
    registry = COUNTRIES / f"{name}.registry.toml"
    text = (COUNTRIES / f"{name}.toml").read_text("utf-8")
    assert ("/etc/otpguard/registry.toml" in text) == registry.exists()
    path = folder / "otpguard.toml"
    path.write_text(text.replace("/etc/otpguard/registry.toml", str(registry)))
    return load(path)


def test_every_file_is_of_a_country_that_is_tried() -> None:
    assert {path.name.partition(".")[0] for path in COUNTRIES.iterdir()} == CODES.keys()


@pytest.mark.parametrize("name", CODES)
def test_numbers_are_read_by_the_countrys_plan(name: str, tmp_path: Path) -> None:
    settings = settings_of(name, tmp_path)
    kind = phonenumbers.PhoneNumberType.MOBILE
    example = phonenumbers.example_number_for_type(settings.input.country, kind)
    assert example is not None
    assert example.country_code == CODES[name]
    numbers = settings.intake().numbers
    canonical = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:]
    for form in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.E164):
        assert numbers.canonical(phonenumbers.format_number(example, form)) == canonical


@pytest.mark.parametrize("name", CODES)
def test_what_a_country_trusts_is_trusted_and_nobody_else_is(name: str, tmp_path: Path) -> None:
    settings = settings_of(name, tmp_path)
    sender, trust = TRUSTED[name]
    registry, conflicts = settings.registry()
    for conflict in conflicts:  # what is shipped without trust may be a bank at home
        assert "(none) becomes" in conflict
        assert conflict.endswith("(bank)")
    assert registry.trust(None, registry.sender(sender)) is trust
    assert registry.trust(None, registry.sender("MYBANK")) is Trust.NONE
    for foreign, (number, _) in TRUSTED.items():
        if foreign != name:
            assert registry.trust(None, registry.sender(number)) is Trust.NONE
    assert settings.recogniser() is not None


@pytest.mark.parametrize("name", sorted(CODES.keys() - {"china"}))
def test_a_name_alone_earns_no_trust(name: str) -> None:
    own = Registry.load((COUNTRIES / f"{name}.registry.toml").read_text("utf-8"))
    banks = [each for each in own.signatures.values() if each.trust is Trust.BANK]
    assert banks
    for bank in banks:
        assert own.trust(bank, own.sender("EVILCORP")) is Trust.NONE


@pytest.mark.parametrize("name", sorted(CODES.keys() - {"china"}))
def test_a_trusted_sender_says_where_it_is_known_from(name: str) -> None:
    """Trust lets codes of a flood pass: what nobody can look up is not shipped."""
    said = ""
    for line in (COUNTRIES / f"{name}.registry.toml").read_text("utf-8").splitlines():
        if line.startswith("#"):
            said += line
        else:
            assert "ports" not in line or "# source: " in said, line
            said = ""
