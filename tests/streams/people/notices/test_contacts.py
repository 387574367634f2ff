"""The register of addressees: with an owner and an end, or refused with the entry's number."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from detectors.recognise.platform.registry import Registry
from streams.common.errors import ConfigError
from streams.people.notices.contacts import read_contacts

REGISTRY = Registry.load_shipped()
TODAY = date(2026, 11, 26)
GOOD = """
[[contact]]
platforms = ["sig:a", "port:10690000001"]
name = "A Security"
mail = "abuse@a.example"
owner = "abuse desk"
expires = 2026-11-26
contract = true
[[contact]]
platforms = ["sig:b"]
webhook = "https://b.example/abuse"
secret_file = "/etc/otpguard/secrets/b"
owner = "abuse desk"
expires = "2026-11-25"
"""


def written(folder: Path, content: str, name: str = "contacts.toml") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_an_entry_counts_to_its_last_day_and_then_no_more(tmp_path: Path) -> None:
    contacts = read_contacts(written(tmp_path, GOOD), REGISTRY)
    a = contacts.of("from:10690000001", TODAY)
    assert a is not None
    assert (a.name, a.contract, a.mail) == ("A Security", True, "abuse@a.example")
    assert contacts.of("sig:b", TODAY) is None
    assert [each.platforms for each in contacts.list_expired(TODAY)] == [("sig:b",)]
    assert contacts.of("sig:unknown", TODAY) is None
    assert read_contacts(None, REGISTRY).of("sig:a", TODAY) is None


def test_a_platform_is_found_by_any_of_its_names_and_numbers(tmp_path: Path) -> None:
    names = GOOD.replace('"sig:a", "port:10690000001"', '"sig:ICBC", "port:95588", "from:Velmora"')
    contacts = read_contacts(written(tmp_path, names), REGISTRY)
    assert set(contacts.by_platform) == {"sig:工商银行", "sig:velmora", "sig:b"}


def test_a_webhook_s_scheme_may_be_in_capitals(tmp_path: Path) -> None:
    loud = GOOD.replace("https://b.example", "HTTPS://b.example")
    assert "sig:b" in read_contacts(written(tmp_path, loud), REGISTRY).by_platform


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"sig:a", ', '"sig:b", '), "sig:b is in two entries"),
        (('owner = "abuse desk"\n', ""), r"required field `owner` - at `\$.contact\[0\]"),
        (('owner = "abuse desk"', 'owner = ""'), r"contact\[0\].owner"),
        (("expires = 2026-11-26", 'expires = "soon"'), r"Invalid .* date - at .*expires"),
        (("expires = 2026-11-26\n", ""), "required field `expires`"),
        (("expires = 2026-11-26", "expires = 2026-11-26T08:00:00"), "Expected `date`"),
        (("abuse@a.example", "a.example"), "a mail has an @"),
        (('mail = "abuse@a.example"\n', ""), "mail or webhook is needed"),
        (('mail = "abuse@a.example"', 'mail = "a@a\\nBcc: b@b"'), "a mail has an @"),
        (('mail = "abuse@a.example"', 'mail = "a@a\\rBcc: b@b"'), "a mail has an @"),
        (("https://b.example", "http://b.example"), "a webhook is https"),
        (("https://b.example", "https://[b.example"), "a webhook is https"),
        (('secret_file = "/etc/otpguard/secrets/b"\n', ""), "signed by secret_file"),
        (('"sig:a", "port:10690000001"', '"a"'), "keys such as"),
        (("contract = true", "contracted = true"), "unknown field `contracted`"),
        (("[[contact]]", "[[contact"), "contacts.toml"),
        ((GOOD, "contact = 5"), "Expected `array`"),
        (("[[contact]]", "[[contacts]]"), "unknown field `contacts`"),
        (('["sig:a", "port:10690000001"]', "5"), "Expected `array`"),
        (('["sig:a", "port:10690000001"]', "[]"), "length >= 1"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigError, match=says):
        read_contacts(written(tmp_path, GOOD.replace(*change, 1)), REGISTRY)


def test_a_register_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_contacts(tmp_path / "none.toml", REGISTRY)
