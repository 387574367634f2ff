"""The abuse desk: what would let a stranger in, or contradicts itself, is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.common.errors import ConfigError
from streams.config import load
from tests.builders.streams.config.load import written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[desk]\ntoken_key_files = {"a b" = "/dev/null"}', "desk: token_key_files: a b is no key"),
        ('[desk]\ntoken_key_files = {a = "/nowhere/k"}', "desk: no such file: /nowhere/k"),
        ('[console]\nhost = "0.0.0.0"', "console: host 0.0.0.0 is not loopback"),
        (f"[console]\ncert_file = '{__file__}'", "console: cert_file and key_file belong together"),
        ('[console]\nenter = ["oidc"]', "console: to enter by oidc, oidc_issuer and"),
        ('[console]\nenter = ["proxy"]', "console: to enter by proxy, proxies and"),
        ('[console]\nroles = {x = "king"}', "console: roles: there is no king"),
        ('[console]\nproxies = ["nobody"]', "console: proxies: nobody is no network"),
        ('[console]\nzone = "Asia"', "console: zone: there is no Asia"),
        ('[evidence]\nzone = "Asia"', "evidence: zone 'Asia': no such zone"),
        ('[evidence]\nzone = "Beijing"', "evidence: zone 'Beijing': no such zone"),
        ('[signal]\nhost = "0.0.0.0"', "signal: host 0.0.0.0 is not loopback"),
        ('[signal]\njwks_url = "https://h/k"', "signal: tokens are checked by issuer and"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(written(tmp_path, text)).params()
