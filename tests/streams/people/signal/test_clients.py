"""The list of banks: read whole, or refused with what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.model.event import Trust
from detectors.recognise.platform.registry import Registry
from streams.common.errors import ConfigError
from streams.people.signal.clients import CHECK, DATE, OWN, read
from tests.streams.people.signal.parts import clients_file

REGISTRY = Registry.load_shipped()


def test_a_client_has_its_defaults_and_what_is_written(tmp_path: Path) -> None:
    found = read(
        clients_file(
            tmp_path, "[a]", "[b]", f'scopes = ["{OWN}"]', 'platforms = ["sig:乙", "port:95588"]',
            'trust = "none"', "per_minute = 9", 'certificate_sha256 = "' + "AB:" * 31 + 'ab"',
        ),
        REGISTRY,
    )  # fmt: skip
    assert found["a"].scopes == {CHECK, DATE}
    b = found["b"]
    assert b.scopes == {OWN}
    assert (list(b.platforms), b.trust, b.per_minute) == (["sig:乙", "sig:工商银行"], Trust.NONE, 9)
    assert b.certificate_sha256 == "ab" * 32


@pytest.mark.parametrize(
    "line",
    ['scopes = ["all"]', "per_minute = 0", 'trust = "much"', 'certificate_sha256 = "x"',
     "unknown = 1", "per_minute = [", "per_minute = " + "[" * 50_000, "sink_per_minute = 0",
     'sink = "https://bank.example/f"',
     'sink = "http://bank.example/f"\nsink_secret_file = "/s"\nsink_numbers_file = "/n"',
     'sink = "https://a:b@bank/"\nsink_secret_file = "/s"\nsink_numbers_file = "/n"'],
)  # fmt: skip
def test_what_is_wrong_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="clients_file"):
        read(clients_file(tmp_path, "[a]", line), REGISTRY)
    with pytest.raises(ConfigError, match="clients_file"):
        read(tmp_path / "nowhere", REGISTRY)
