"""The settings of a cluster in librdkafka's words."""

from __future__ import annotations

from typing import Any

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
