"""How the cluster is reached: what contradicts itself is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from streams.common.errors import ConfigError
from streams.config import load
from tests.builders.streams.config.load import written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[kafka]\nbootstrap = "nowhere"',
            "kafka.bootstrap: not of the form that is wanted (host:port of one",
        ),
        ('[kafka]\nsecurity = "sasl_ssl"', "kafka: security sasl_ssl needs username"),
        (f"[kafka]\ncert_file = '{__file__}'", "kafka: cert_file and key_file belong together"),
        ('[kafka]\nca_file = "/nowhere/ca.pem"', "kafka: no such file: /nowhere/ca.pem"),
        (f'[kafka]\nca_file = "/{"x" * 300}"', "kafka: no such file: /xxx"),
        ('[kafka]\npassword_file = "/nowhere/p"', "kafka: password_file /nowhere/p: No such file"),
        ("[kafka]\nheartbeat_s = 3", "kafka: heartbeat_s must be at most a third"),
        *(
            (f"[topics]\ncounts = {json.dumps(name)}", "topics: counts is no name of a topic")
            for name in ("", "with blank", "a,b", "line\n", "x" * 250, ".", "..", "主题")
        ),
        (
            '[topics]\ndead_letters = "sms.delivery.v1"',
            "topics: input and dead_letters have one name",
        ),
        ('[topics]\neveryone = "otpguard.audit.v1"', "topics: everyone and audit have one name"),
        ('[topics]\noverride = "otpguard.audit.v1"', "topics: override and audit have one name"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(written(tmp_path, text)).params()


def test_any_name_that_kafka_takes_is_a_topic_s(tmp_path: Path) -> None:
    for name in ("a", "x" * 249, "A-z_0.9", "..."):
        assert load(written(tmp_path, f'[topics]\ncounts = "{name}"')).topics.counts == name


def test_words_about_everyone_may_share_the_topic_of_the_others(tmp_path: Path) -> None:
    text = '[topics]\noverride = "words"\neveryone = "words"'
    assert load(written(tmp_path, text)).topics.everyone == "words"
