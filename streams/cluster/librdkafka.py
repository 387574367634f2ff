"""The settings of a cluster in librdkafka's words."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError

from streams.config import Kafka


def arguments(kafka: Kafka) -> dict[str, Any]:
    """Return the arguments by which clients on librdkafka reach the cluster.

    Such a client waits in silence for a broker that is not there, or does not let it in: ask by
    `streams.cluster.admin.client_arguments` first.
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
    """Tell if a producer is at its end by an error: it takes nothing any more, another one may.

    `poll` and `flush` raise the cause once, whether there is an `error_cb` or not; `produce` then
    raises `_FATAL`, by which the cause is not told.
    """
    return bool(error.fatal()) or error.code() == KafkaError._FATAL  # noqa: SLF001 - its public name
