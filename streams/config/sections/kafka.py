"""Settings of the Kafka cluster and its topics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.config.sections.section import ExistingFile, Seconds, Secret, Section
from streams.language import tr
from streams.limits import PARTITIONS_MAX

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""Valid topic names, except "." and "..", which brokers refuse."""


class Kafka(Section):
    """The Kafka cluster: its address, authentication, and limits for fetching."""

    bootstrap: str = Field(
        "127.0.0.1:9092",
        pattern=r"^[^,\s:]+:\d+(,[^,\s:]+:\d+)*$",
        description="host:port of one or more brokers, separated by commas; "
        "loopback, so that an unconfigured worker harms nobody",
    )
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="protocol of the listener; sasl_ssl anywhere but on one machine"
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism; the strongest that every broker version has"
    )
    username: str = Field("", description="SASL user; empty without SASL")
    password: Secret = Field(
        SecretStr(""), description="SASL password; better given as password_file"
    )
    password_file: Path | None = Field(
        None, description="file that holds the password, such as a mounted secret; read at start"
    )
    ca_file: ExistingFile = Field(
        None, description="PEM of the authority of the brokers' certificates; none: the system's"
    )
    cert_file: ExistingFile = Field(None, description="PEM of the client's certificate, for mTLS")
    key_file: ExistingFile = Field(None, description="PEM of the client's key, for mTLS")
    session_timeout_s: Seconds = Field(
        6, description="a silent worker is replaced after this; 6 is the least brokers accept"
    )
    heartbeat_s: Seconds = Field(1, description="six in a session: one late beat changes nothing")
    poll_records_max: int = Field(
        20_000, ge=1, le=200_000, description="records a poll; past 20,000 nothing gets faster"
    )
    fetch_bytes_max: int = Field(
        1_048_576, ge=65_536, description="bytes a partition and fetch: about 3,000 events"
    )
    buffer_envelopes: int = Field(
        1, ge=1, le=64, description="polls waiting in memory; each is latency (up to 200 ms)"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.security.startswith("sasl") and not (
            self.username and self.password.get_secret_value()
        ):
            raise ValueError(
                tr("security {security} needs username and password_file").format(
                    security=self.security
                )
            )
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError(tr("cert_file and key_file belong together"))
        if self.heartbeat_s * 3 > self.session_timeout_s:
            raise ValueError(tr("heartbeat_s must be at most a third of session_timeout_s"))
        return self


class Topics(Section):
    """The names of the topics, and the partitions and replication that `topics create` uses."""

    input: str = Field("sms.delivery.v1", description="events of the gateways")
    throttle: str = Field("otpguard.throttle.v1", description="leases that gateways obey")
    episode: str = Field("otpguard.episode.v1", description="explanations, for people and cases")
    acks: str = Field("otpguard.throttle.acks.v1", description="what adapters did with leases")
    override: str = Field(
        "otpguard.override.v1", description="the operator's word, read whole by every adapter"
    )
    everyone: str = Field(
        "otpguard.override.v1",
        description="the operator's word about everyone, the kill switch among them; under a name "
        "of its own (otpguard.override.all.v1, say) it has writers of its own, because Kafka gives "
        "the right to write by topic, and words about everyone are refused elsewhere",
    )
    undeliverable: str = Field(
        "otpguard.throttle.v1.dlq", description="leases that a gateway would not take"
    )
    dead_letters: str = Field("sms.delivery.v1.dlq", description="refused events, original bytes")
    incident: str = Field(
        "otpguard.incident.v1",
        description="a flood's messages from THROTTLE on, for the desk and for evidence",
    )
    counts: str = Field(
        "otpguard.throttle.counts.v1", description="what gateways refused so far, by platform"
    )
    audit: str = Field("otpguard.audit.v1", description="who saw or did what, chained by hash")
    notice: str = Field("otpguard.notice.v1", description="whom was told what")
    campaign: str = Field(
        "otpguard.campaign.v1", description="floods at many recipients at once, told as one"
    )
    platform_parts: str = Field(
        "otpguard.platform.parts.v1", description="the workers' sums of codes by platform"
    )
    platform: str = Field(
        "otpguard.platform.v1",
        description="each platform's codes of a week, and how many of floods",
    )
    partitions: int = Field(
        32,
        ge=1,
        le=PARTITIONS_MAX,
        description="of the input and of the changelog; a multiple of the workers, never expanded "
        "in flight, so it is chosen for the largest number of workers ever wanted",
    )
    replication: int = Field(
        3, ge=1, le=9, description="copies; 3 outlive a broker's loss during another's upgrade"
    )

    @model_validator(mode="before")
    @classmethod
    def _words_share_a_topic(cls, given: Any) -> Any:
        """Use the topic of `override` also for `everyone`, unless `everyone` is set."""
        if isinstance(given, dict) and "override" in given:
            return {"everyone": given["override"], **given}
        return given

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """Check that all topics have valid and different names.

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
