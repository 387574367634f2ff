"""Settings of the components at gateways: adapters, gates, feeds, and the canary for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.common import tr
from streams.common.errors import refuse_faults
from streams.common.limits import GATEWAY_ID
from streams.common.tls import LOOPBACK
from streams.config.sections.section import Seconds, Secret, Section, Url

if TYPE_CHECKING:
    from detectors.leases.rails import RailParams

CANARY_PERIOD_MAX_S: Final = 300
"""Largest period of the canary, in seconds. The alert OtpguardCanaryFailing waits for three periods
of this length and one minute."""


class Enforce(Section):
    """Settings of all adapters, independent of the kind of gateway."""

    gateway_id: str = Field(
        "gateway",
        pattern=f"^{GATEWAY_ID}$",
        description="name of the gateway in acknowledgements, and of this adapter's consumer group",
    )
    subscribers: int = Field(
        10_000_000,
        ge=1,
        description="number of active subscribers; the rails are computed from it: new "
        "leases a minute 1/10,000 (at least 600), recipients under lease 1/500 "
        "(at least 6,000)",
    )
    new_leases_per_minute: int | None = Field(
        None,
        ge=1,
        description="new leases a minute above which further ones are ignored; "
        "without it: computed from subscribers",
    )
    recipients_max: int | None = Field(
        None,
        ge=1,
        description="maximum number of recipients under lease at a time; without "
        "it: computed from subscribers",
    )

    def rails(self) -> RailParams:
        """Return the limits on leases: those for `subscribers`, unless they are set explicitly."""
        from dataclasses import replace  # noqa: PLC0415 - start-up time

        from detectors.leases.rails import RailParams  # noqa: PLC0415

        sized = RailParams.for_network(self.subscribers)
        return replace(
            sized,
            new_per_minute=self.new_leases_per_minute or sized.new_per_minute,
            recipients_max=self.recipients_max or sized.recipients_max,
        )


class Redis(Section):
    """The Redis server where gateways look up leases and to which they report submissions."""

    url: Url = Field(
        "redis://127.0.0.1:6379/0",
        pattern="^(rediss?|unix)://",
        description="URL of Redis; rediss:// uses TLS; put credentials into username and "
        "password_file",
    )
    username: str = Field("", description="ACL user; empty: the default user")
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file with the password")
    ca_file: Path | None = Field(
        None,
        description="PEM file of the authority that signed the server's certificate; "
        "without it the system's authorities",
    )
    cert_file: Path | None = Field(
        None, description="PEM file of the client's certificate, for mTLS"
    )
    key_file: Path | None = Field(None, description="PEM file of the client's key, for mTLS")
    prefix: str = Field(
        "otpguard:", description="prefix of all keys, so that others may share the server"
    )


class Kannel(Section):
    """The bearerbox of Kannel, which downloads its black list from the adapter."""

    list_file: Path = Field(
        Path("/var/lib/otpguard/kannel.list"),
        description="file of the list; it stays when the adapter ends",
    )
    list_host: str = Field(
        "127.0.0.1",
        description="address that serves the list, which has the numbers under lease; use "
        "loopback unless Kannel runs elsewhere and nobody else can reach the "
        "address",
    )
    list_port: int = Field(13_080, ge=0, le=65_535, description="port; 0: any free port")
    admin_url: Url = Field(
        "http://127.0.0.1:13000", pattern="^https?://", description="bearerbox' admin port"
    )
    password: Secret = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file with the admin password")


class Webhook(Section):
    """The API of a gateway to which the adapter posts leases."""

    url: Url = Field("", description="URL to which orders are posted; https, or http here")
    secret: Secret = Field(SecretStr(""), description="better given as secret_file")
    secret_file: Path | None = Field(None, description="file with the key of the signatures")
    old_secret: Secret = Field(SecretStr(""), description="better given as old_secret_file")
    old_secret_file: Path | None = Field(
        None,
        description="file with the previous key, which also signs until all receivers "
        "know the new one",
    )
    ca_file: Path | None = Field(
        None,
        description="PEM file of the authority that signed the server's certificate; "
        "without it the system's authorities",
    )
    parallel: int = Field(16, ge=1, le=256, description="maximum number of requests at a time")


class GateSettings(Section):
    """The gate, which gateways query for each message, and its spool and queue toward Kafka."""

    socket: Path | None = Field(
        None,
        description="path of a Unix socket to listen on; everybody who may write to it may "
        "ask, so give it to the gateway's group",
    )
    socket_mode: str = Field(
        "0660",
        pattern="^0?[0-7]{3}$",
        description="mode of the socket; the default is owner and group",
    )
    host: str = Field(
        "127.0.0.1", description="address to listen on; any other than loopback requires a token"
    )
    port: int | None = Field(
        9080, ge=1, le=65_535, description="port to listen on; 9080 is free on most gateways"
    )
    token: Secret = Field(SecretStr(""), description="better given as token_file")
    token_file: Path | None = Field(
        None,
        description="file with the token that clients send (Authorization: Bearer); without "
        "it everybody who reaches the gate may ask, and learn who is under attack",
    )
    timeout_ms: float = Field(
        20,
        gt=0,
        le=10_000,
        description="time-out of the clients in milliseconds; later answers are counted as late",
    )
    text: Literal["none", "prefix", "whole"] = Field(
        "none", description="how much of a text is in the event; the gate has read the text already"
    )
    spool_dir: Path = Field(
        Path("/var/lib/otpguard/gate"),
        description="folder where events wait until Kafka accepts them",
    )
    spool_bytes_max: int = Field(
        1 << 30,
        ge=1 << 20,
        description="maximum number of bytes of waiting events; above it the oldest are "
        "lost. 1 GiB holds 15 minutes at 3,000/s",
    )
    spool_age_s: Seconds = Field(
        3600,
        description="maximum age of waiting events in seconds; older ones are lost, "
        "because a flood of an hour ago needs no throttle",
    )
    queue_max: int = Field(
        50_000,
        ge=1_000,
        description="maximum number of events between answer and disk; enough for 16 s of a "
        "disk that hangs, at 3,000/s",
    )
    queue_bytes_max: int = Field(
        32 << 20,
        ge=1 << 20,
        description="maximum number of bytes of these events; events with whole texts may "
        "have 100 kB each. Above either limit events go to Kafka directly",
    )
    connections_max: int = Field(
        1_024,
        ge=1,
        description="maximum number of client connections; above it the "
        "connection that was idle longest is closed",
    )
    drain_s: Seconds = Field(
        5,
        description="seconds at the end of the process in which clients get their last "
        "answers and leave",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (
            self.port is not None
            and self.host not in LOOPBACK
            and not self.token.get_secret_value()
        ):
            raise ValueError(
                tr(
                    "host {host} is not loopback and there is no token_file: strangers could ask "
                    "who is under attack"
                ).format(host=self.host)
            )
        return self


class Feed(Section):
    """Facts that feeds cannot find in their input."""

    avro_schemas: dict[str, Path] = Field(
        default_factory=dict,
        description="file (.avsc) of the writer's schema for each schema id, for `feed "
        "kafka`; no registry is asked",
    )

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        wrong = [name for name in self.avro_schemas if not name.isdecimal()]
        if wrong:
            raise ValueError(
                tr("avro_schemas: {wrong} is no schema id").format(wrong=", ".join(wrong))
            )
        return self


class Canary(Section):
    """The canary: a small periodic test flood to phone numbers that no subscriber has."""

    first: str = Field(
        "8617000990000",
        pattern=r"^[1-9]\d{7,14}$",
        description="first of the reserved numbers, E.164 digits; use your own range",
    )
    numbers: int = Field(
        1000,
        ge=10,
        description="number of consecutive reserved numbers, used in turn; the "
        "last tenth is for --once",
    )
    period_s: float = Field(
        300,
        ge=5,
        description="seconds between floods, at most 300; an outage shows after three floods",
    )
    deadline_s: Seconds = Field(
        60, description="seconds to wait for lease and acknowledgement; 2 s are usual"
    )

    @property
    def turns(self) -> int:
        """Number of phone numbers that the canary daemon uses in turn: nine tenths of all."""
        return self.numbers - self.numbers // 10

    @model_validator(mode="after")
    def _complete(self) -> Self:
        too_long = tr(
            "period_s must be at most {longest}: the alert OtpguardCanaryFailing tells of an "
            "outage after three floods of that"
        )
        refuse_faults(
            {
                too_long.format(longest=CANARY_PERIOD_MAX_S): self.period_s > CANARY_PERIOD_MAX_S,
                tr("every number needs 2.5 days of rest: raise numbers or period_s"): (
                    self.turns * self.period_s < 2.5 * 86_400
                ),
            }
        )
        return self
