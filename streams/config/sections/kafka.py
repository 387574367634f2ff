"""Settings of the Kafka cluster and its topics."""

import re
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from detectors.defaults import EPOCH
from streams.common import tr
from streams.common.errors import refuse_faults
from streams.common.limits import PARTITIONS_MAX
from streams.config.sections.section import ExistingFile, Seconds, Secret, Section

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""Valid topic names, except "." and "..", which brokers refuse."""


class Kafka(Section):
    """The Kafka cluster: its address, authentication, and limits for fetching."""

    bootstrap: str = Field(
        "127.0.0.1:9092",
        pattern=r"^[^,\s:]+:\d+(,[^,\s:]+:\d+)*$",
        description="host:port of one or more brokers, separated by commas; the default is "
        "loopback, so an unconfigured worker harms nobody",
    )
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext",
        description="security protocol of the listener; use sasl_ssl unless "
        "everything runs on one machine",
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512",
        description="SASL mechanism; the default is the strongest that "
        "every broker version supports",
    )
    username: str = Field("", description="SASL user; empty without SASL")
    password: Secret = Field(
        SecretStr(""), description="SASL password; better given as password_file"
    )
    password_file: Path | None = Field(
        None, description="file with the password, such as a mounted secret; read at start"
    )
    ca_file: ExistingFile = Field(
        None,
        description="PEM file of the authority that signed the brokers' certificates; without "
        "it the system's authorities",
    )
    cert_file: ExistingFile = Field(None, description="PEM file of the client, for mTLS")
    key_file: ExistingFile = Field(None, description="PEM file of the client's key")
    session_timeout_s: Seconds = Field(
        6,
        description="seconds of silence after which the group replaces a worker; 6 is the "
        "least that brokers accept",
    )
    heartbeat_s: Seconds = Field(
        1,
        description="seconds between heartbeats; six fit into a "
        "session, so one late beat changes nothing",
    )
    poll_records_max: int = Field(
        20_000,
        ge=1,
        le=200_000,
        description="maximum number of records of a poll; above 20,000 nothing gets faster",
    )
    fetch_bytes_max: int = Field(
        1_048_576,
        ge=65_536,
        description="maximum number of bytes of a partition in one fetch: about 3,000 events",
    )
    buffer_envelopes: int = Field(
        1, ge=1, le=64, description="polls that wait in memory; each adds latency (up to 200 ms)"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        has_login = bool(self.username and self.password.get_secret_value())
        needs_login = tr("security {security} needs username and password_file")
        refuse_faults(
            {
                needs_login.format(security=self.security): (
                    self.security.startswith("sasl") and not has_login
                ),
                tr("cert_file and key_file belong together"): (
                    (self.cert_file is None) != (self.key_file is None)
                ),
                tr("heartbeat_s must be at most a third of session_timeout_s"): (
                    self.heartbeat_s * 3 > self.session_timeout_s
                ),
            }
        )
        return self


class Primary(Kafka):
    """The cluster whose memory `otpguard agent memory` brings to this one."""

    bootstrap: str = Field(
        "",
        pattern=r"^([^,\s:]+:\d+(,[^,\s:]+:\d+)*)?$",
        description="host:port of one or more brokers of the other site; empty: there is none",
    )
    app_id: str = Field("otpguard", description="app_id of the workers there")
    epoch: int = Field(EPOCH, ge=0, description="epoch of the workers there")


class Topics(Section):
    """The names of the topics, and the partitions and replication that `topics create` uses."""

    input: str = Field("sms.delivery.v1", description="events of the gateways")
    throttle: str = Field("otpguard.throttle.v1", description="leases for the gateways")
    episode: str = Field(
        "otpguard.episode.v1", description="episodes with their explanations, for people and cases"
    )
    acks: str = Field(
        "otpguard.throttle.acks.v1", description="acknowledgements: what adapters did with leases"
    )
    override: str = Field(
        "otpguard.override.v1",
        description="overrides of operators; every adapter reads the whole topic",
    )
    everyone: str = Field(
        "otpguard.override.v1",
        description="overrides for everybody, such as the kill switch. Give it a separate "
        "name (such as otpguard.override.all.v1) to restrict who may write them: "
        "Kafka grants the right to write by topic, and such overrides are then "
        "refused in other topics",
    )
    undeliverable: str = Field(
        "otpguard.throttle.v1.dlq", description="leases that a gateway rejected"
    )
    dead_letters: str = Field(
        "sms.delivery.v1.dlq", description="dead letters: rejected events with their original bytes"
    )
    incident: str = Field(
        "otpguard.incident.v1",
        description="the messages of a flood from THROTTLE on, for the desk and for evidence",
    )
    counts: str = Field(
        "otpguard.throttle.counts.v1",
        description="number of messages that gateways refused, by platform",
    )
    audit: str = Field(
        "otpguard.audit.v1", description="audit: who saw or did what, chained by hash"
    )
    notice: str = Field("otpguard.notice.v1", description="notices: who was notified of what")
    campaign: str = Field(
        "otpguard.campaign.v1",
        description="campaigns: floods of many recipients that belong together",
    )
    platform_parts: str = Field(
        "otpguard.platform.parts.v1", description="sums of codes by platform, of each worker"
    )
    platform: str = Field(
        "otpguard.platform.v1",
        description="figures of each platform for a week: codes, and codes that belong to floods",
    )
    partitions: int = Field(
        32,
        ge=1,
        le=PARTITIONS_MAX,
        description="partitions of the input and of the changelog; a multiple of the number "
        "of workers. Choose it for the largest number of workers that you will "
        "ever want, because it cannot grow while workers run",
    )
    replication: int = Field(
        3,
        ge=1,
        le=9,
        description="copies of each topic; with 3 a broker may be lost while another is upgraded",
    )

    def of_override(self, recipient: str) -> str:
        """Return the topic of an override for this recipient; `*` is everyone."""
        return self.everyone if recipient == "*" else self.override

    @model_validator(mode="before")
    @classmethod
    def _words_share_a_topic(cls, given: Any) -> Any:
        """Use the topic of `override` also for `everyone`, unless `everyone` is set."""
        if isinstance(given, dict) and "override" in given:
            return {"everyone": given["override"], **given}
        return given

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """Check that topic names are valid, and differ except for `override` and `everyone`.

        If dead letters went to the input topic, they would be refused and written again forever.
        """
        role_of: dict[str, str] = {}
        for role in type(self).model_fields:
            name = getattr(self, role)
            if not isinstance(name, str):
                continue
            if not _NAME.fullmatch(name) or name in {".", ".."}:
                raise ValueError(
                    tr(
                        "{role} is no name of a topic: letters, digits, '.', '_' and '-', "
                        "249 at most"
                    ).format(role=role)
                )
            other = role_of.setdefault(name, role)
            if other != role and (other, role) != ("override", "everyone"):
                raise ValueError(
                    tr("{role} and {other} have one name: each needs a topic of its own").format(
                        role=other, other=role
                    )
                )
        return self
