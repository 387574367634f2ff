"""Kafka settings under the names that librdkafka uses."""

from typing import Any

from confluent_kafka import KafkaError

from streams.config import Kafka


def arguments(kafka: Kafka) -> dict[str, Any]:
    """Return the arguments with which librdkafka clients connect to the cluster.

    Such a client waits silently if the broker is absent or refuses the login. Call
    `streams.cluster.admin.client_arguments` first: that function reports both problems.
    """
    given = {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": kafka.security,
        "ssl.ca.location": kafka.ca_file,
        "ssl.certificate.location": kafka.cert_file,
        "ssl.key.location": kafka.key_file,
    }
    if kafka.security.startswith("sasl"):
        given |= {
            "sasl.mechanism": kafka.mechanism,
            "sasl.username": kafka.username,
            "sasl.password": kafka.password.get_secret_value(),
        }
    return {name: str(value) for name, value in given.items() if value is not None}


def is_fatal(error: KafkaError) -> bool:
    """Return true if the error is fatal for a producer, so that only a new producer can go on.

    `poll` and `flush` raise the cause once, with or without an `error_cb`. After that, `produce`
    raises `_FATAL`, which does not name the cause.
    """
    return bool(error.fatal()) or error.code() == KafkaError._FATAL  # noqa: SLF001 - its public name
