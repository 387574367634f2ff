"""The settings of a cluster as librdkafka takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from streams.cluster.librdkafka import arguments
from streams.config import Kafka


def test_what_is_not_set_is_not_said() -> None:
    assert arguments(Kafka(bootstrap="a:1,b:2")) == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "plaintext",
    }


@pytest.mark.parametrize("client", [Producer, Consumer], ids=lambda each: each.__name__)
def test_librdkafka_knows_every_word_of_it(client: type, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("Secret-1\n")
    kafka = Kafka(
        bootstrap="127.0.0.1:1", security="sasl_ssl", username="u", password_file=secret,
        mechanism="SCRAM-SHA-512",
    )  # fmt: skip
    said = arguments(kafka)
    assert (said["sasl.username"], said["sasl.password"]) == ("u", "Secret-1")
    client({**said, "group.id": "g"} if client is Consumer else said)
