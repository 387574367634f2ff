"""How the cluster is reached: what contradicts itself is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.config import load
from streams.errors import ConfigError
from tests.streams.config.test_load import written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[kafka]\nbootstrap = "nowhere"', "kafka.bootstrap: String should match pattern"),
        ('[kafka]\nsecurity = "sasl_ssl"', "kafka: security sasl_ssl needs username"),
        ('[kafka]\ncert_file = "a.pem"', "kafka: cert_file and key_file belong together"),
        ('[kafka]\nca_file = "/nowhere/ca.pem"', "kafka: no such file: /nowhere/ca.pem"),
        (f'[kafka]\nca_file = "/{"x" * 300}"', "kafka: no such file: /xxx"),
        ('[kafka]\npassword_file = "/nowhere/p"', "kafka: password_file /nowhere/p: No such file"),
        ("[kafka]\nheartbeat_s = 3", "kafka: heartbeat_s must be at most a third"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(written(tmp_path, text)).params()
