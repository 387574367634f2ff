"""The tables of the settings file: each setting with its unit (in the name), default and reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from detectors.bars import BURST_MARGIN_MAX, LEASE_MAX_MS
from detectors.defaults import (
    CHRONIC_DAYS,
    COLD_KNOWN,
    EPISODE_MOST_S,
    FORMATS,
    LEASE_MOST_MS,
    LEASE_MS,
    NAMES_MAX,
    QUIET_S,
    ROWS_MAX,
    SUSPECTS_MAX,
    WINDOW_S,
)
from streams.language import tr
from streams.limits import AHEAD_MAX_MS, VALUE_BYTES_MAX

if TYPE_CHECKING:
    from detectors.leases.rails import RailParams

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
PORTS: Final = {"worker": 9464, "adapter": 9465, "feed": 9466, "canary": 9467, "gate": 9468}
"""Kind of process -> where it serves metrics and health, so that one of each fits on a machine."""

Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A table of the TOML file: frozen, and closed to names it does not know.

    What checks it is built when there is something to check: defaults need none.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


def _read_secret(section: Section, name: str) -> None:
    """Let the secret `name` be the first line of the file that `<name>_file` names, if any."""
    path: Path | None = getattr(section, f"{name}_file")
    if path is None:
        return
    if getattr(section, name).get_secret_value():
        raise ValueError(tr("{name} and {name}_file exclude each other").format(name=name))
    try:
        line = path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise ValueError(
            tr("{name}_file {path}: {strerror}").format(
                name=name, path=path, strerror=error.strerror
            )
        ) from None
    object.__setattr__(section, name, SecretStr(line))


def _check_url(section: Section, name: str) -> None:
    """Refuse what clients could not read: their errors repeat pieces of it, a password's too."""
    try:
        _ = urlsplit(getattr(section, name)).port
    except ValueError:
        raise ValueError(
            tr(
                "{name}: host and port cannot be read; what is in front of an @ has to be "
                "percent-encoded, and belongs in username and password_file"
            ).format(name=name)
        ) from None


class Kafka(Section):
    """The cluster, how to reach it, and how much to take from it at once."""

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
    password: SecretStr = Field(
        SecretStr(""), description="SASL password; better given as password_file"
    )
    password_file: Path | None = Field(
        None, description="file that holds the password, such as a mounted secret; read at start"
    )
    ca_file: Path | None = Field(
        None, description="PEM of the authority of the brokers' certificates; none: the system's"
    )
    cert_file: Path | None = Field(None, description="PEM of the client's certificate, for mTLS")
    key_file: Path | None = Field(None, description="PEM of the client's key, for mTLS")
    session_timeout_s: Seconds = Field(
        6, description="a silent worker is replaced after this; 6 is the least brokers accept"
    )
    heartbeat_s: Seconds = Field(1, description="six in a session: one late beat changes nothing")
    poll_records_max: int = Field(
        20_000, ge=1, le=200_000, description="records a poll; past 20,000 nothing gets faster"
    )
    fetch_bytes_max: int = Field(
        4_194_304, ge=65_536, description="bytes a partition and fetch: about 12,000 events"
    )
    buffer_envelopes: int = Field(
        1, ge=1, le=64, description="polls waiting in memory; each is latency (up to 200 ms)"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "password")
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
        for path in (self.ca_file, self.cert_file, self.key_file):
            if path is not None and not path.is_file():
                raise ValueError(tr("no such file: {path}").format(path=path))
        if self.heartbeat_s * 3 > self.session_timeout_s:
            raise ValueError(tr("heartbeat_s must be at most a third of session_timeout_s"))
        return self


class Topics(Section):
    """Names, and the shape that `topics create` gives them."""

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
    partitions: int = Field(
        32,
        ge=1,
        le=1024,
        description="of the input and of the changelog; a multiple of the workers, never expanded "
        "in flight, so it is chosen for the largest number of workers ever wanted",
    )
    replication: int = Field(
        3, ge=1, le=9, description="copies; 3 outlive a broker's loss during another's upgrade"
    )

    @model_validator(mode="before")
    @classmethod
    def _words_share_a_topic(cls, given: Any) -> Any:
        """Whoever renames the operator's topic renames it for words about everyone too."""
        if isinstance(given, dict) and "override" in given:
            return {"everyone": given["override"], **given}
        return given


class Input(Section):
    """The intake of records: country, limits, what is counted."""

    country: str = Field(
        "CN", pattern="^[A-Z]{2}$", description="ISO 3166 code; reads numbers in national form"
    )
    counted_type: Literal["submit", "deliver", "receipt"] = Field(
        "submit", description="the event type that is counted: offered traffic shows a flood first"
    )
    value_bytes_max: int = Field(
        VALUE_BYTES_MAX,
        ge=1024,
        description="larger values are refused; a text of 255 parts is 51 kB, escaped 103",
    )
    ahead_max_s: Seconds = Field(
        AHEAD_MAX_MS / 1000,
        description="an event this far ahead of its record is refused; forgives bad clocks",
    )
    refused_share_max: float = Field(
        0.5,
        gt=0,
        le=1,
        description="of the newest records: more refused than this, and doctor calls it bad",
    )
    dead_letters_per_s: float = Field(
        100,
        gt=0,
        le=1e6,
        description="of a worker, 10 s of it at once; past it ranges of offsets are logged, so "
        "that nobody has all his rubbish written twice",
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        import phonenumbers  # noqa: PLC0415 - start-up time

        if self.country not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(
                tr("country {country} has no numbering plan").format(country=self.country)
            )
        return self


class Recognise(Section):
    """Settings of recognition: which messages count as verification codes."""

    confidence_min: float = Field(
        0.5, gt=0, le=1, description="a text under this is no code; .5 balances both errors"
    )
    registry_file: Path | None = Field(
        None, description="operator's platforms, ports and trust classes, over the shipped ones"
    )
    templates_max: int = Field(
        32_768,
        ge=16,
        description="verdicts remembered by template, twice; a carrier's hour has fewer",
    )


class Detect(Section):
    """Settings of detection; sizes are for each partition."""

    recipients_max: int = Field(
        ROWS_MAX,
        ge=16_384,
        description="rows of a partition: 128 bytes each when used; the longest idle go first",
    )
    window_s: int = Field(
        WINDOW_S, ge=1, description="tumbling window of the counts; 5 min show a flood whole"
    )
    suspects_max: int = Field(
        SUSPECTS_MAX, ge=1, description="recipients followed one by one; 2 kB each"
    )
    names_max: int = Field(
        NAMES_MAX, ge=1, description="platform names kept for explanations, by last use"
    )
    p_novel: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of benign sightings that are novel, as `calibrate` measured it: lower "
        "shares lower the bars for slow floods; none: not measured",
    )
    burst_margin: float = Field(
        0.0,
        ge=0,
        le=BURST_MARGIN_MAX,
        description="sightings on top of the bars for fast floods, as `calibrate` proposes it "
        "where people log in faster than assumed; each costs an attack half a minute and more",
    )
    lease_s: int = Field(
        LEASE_MS // 1000, ge=10, description="a lease; 10 min are the life of most codes"
    )
    lease_max_s: int = Field(
        LEASE_MOST_MS // 1000,
        ge=10,
        le=LEASE_MAX_MS // 1000,
        description="the longest lease: a slow flood has one of three of its gaps, so that it "
        "does not end between two codes; as lease_s: all are alike",
    )
    quiet_s: int = Field(
        QUIET_S,
        ge=60,
        description="without the flood for so long, or one and a half leases, an episode is over",
    )
    hot: Literal["off", "partition"] = Field(
        "partition",
        description="platforms that other floods of the week abuse are evidence; partition: each "
        "partition knows those of its own recipients; needs worker.state_format 3",
    )
    again: bool = Field(
        default=True,
        description="under a lease a refused platform's code passes when it is asked for again one "
        "to two and a half minutes later, few in ten minutes; needs worker.state_format 4",
    )
    episode_max_s: int = Field(
        EPISODE_MOST_S, ge=60, description="an episode's longest; then it is found anew"
    )
    cold_known: int = Field(
        COLD_KNOWN,
        ge=0,
        description="recipients that know fewer platforms are throttled in shadow only: their "
        "habitual codes cannot be told from the flood",
    )
    enforce_cold: bool = Field(default=False, description="accept that, and enforce for them too")
    chronic_days: int = Field(
        CHRONIC_DAYS,
        ge=1,
        le=14,
        description="with so many of 14 days under throttle a number is reported as chronic",
    )
    stamps: dict[str, Literal["exact", "minute", "jitter_30s", "jitter_120s"]] = Field(
        default_factory=dict,
        description="gateway -> how exact its event times are; beats what is measured",
    )


class WorkerSettings(Section):
    """One process, its state and when it gives up."""

    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="stable name of this worker's slot (static membership): a restart then moves "
        "no partition; empty: a dynamic member",
    )
    data_dir: Path = Field(
        Path("/tmp/otpguard"),  # noqa: S108 - holds no state; Faust wants a folder
        description="scratch of the stream engine; holds no state",
    )
    checkpoint_cycle_s: Seconds = Field(
        60, description="between checkpoints; what a crash makes a successor read again"
    )
    checkpoint_bytes_per_s: int = Field(
        20_000_000,
        ge=100_000,
        description="bandwidth of checkpoints; a cycle grows where state needs longer",
    )
    state_format: int = Field(
        FORMATS[-1],
        ge=FORMATS[0],
        le=FORMATS[-1],
        description="of checkpoints; whoever upgrades a running fleet sets that of the old version "
        "first and raises it when every worker runs the new one: older workers refuse newer states",
    )
    revoke_deadline_s: Seconds = Field(
        5, description="for the last checkpoint when partitions leave; under the session timeout"
    )
    stall_s: float = Field(
        60, ge=10, description="without progress for so long the worker exits 75; over any pause"
    )
    stop_s: Seconds = Field(20, description="a stop that takes longer is cut short with exit 75")


class Enforce(Section):
    """Settings of every adapter, whatever gateway it is for."""

    gateway_id: str = Field(
        "gateway",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="names the gateway in acknowledgements, and this adapter's consumer group",
    )
    subscribers: int = Field(
        10_000_000,
        ge=1,
        description="active subscribers; the rails are sized from it: new leases a minute "
        "1/10,000 of it (600 at least), recipients under lease 1/500 (6,000 at least)",
    )
    new_leases_per_minute: int | None = Field(
        None, ge=1, description="past it new leases are ignored; none: sized from subscribers"
    )
    recipients_max: int | None = Field(
        None, ge=1, description="under lease at a time; none: sized from subscribers"
    )

    def rails(self) -> RailParams:
        """The rails."""
        from dataclasses import replace  # noqa: PLC0415 - start-up time

        from detectors.leases.rails import RailParams  # noqa: PLC0415

        sized = RailParams.sized(self.subscribers)
        return replace(
            sized,
            new_per_minute=self.new_leases_per_minute or sized.new_per_minute,
            recipients_max=self.recipients_max or sized.recipients_max,
        )


class Redis(Section):
    """The Redis that gateways look leases up in, and report submissions to."""

    url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern="^(rediss?|unix)://",
        description="rediss:// is TLS; credentials belong in username and password_file",
    )
    username: str = Field("", description="ACL user; empty: the default user")
    password: SecretStr = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file that holds the password")
    ca_file: Path | None = Field(
        None, description="PEM of the authority of the server's certificate; none: the system's"
    )
    cert_file: Path | None = Field(None, description="PEM of the client's certificate, for mTLS")
    key_file: Path | None = Field(None, description="PEM of the client's key, for mTLS")
    prefix: str = Field("otpguard:", description="of all keys, so that others may share the server")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "password")
        _check_url(self, "url")
        return self


class Kannel(Section):
    """Kannel's bearerbox, which fetches its black list from the adapter."""

    list_file: Path = Field(
        Path("/var/lib/otpguard/kannel.list"), description="the list; outlives the adapter"
    )
    list_host: str = Field(
        "127.0.0.1",
        description="address that serves the list: numbers under lease, so loopback unless Kannel "
        "is elsewhere and nobody else can reach it",
    )
    list_port: int = Field(13_080, ge=0, le=65_535, description="its port; 0: any free")
    admin_url: str = Field(
        "http://127.0.0.1:13000", pattern="^https?://", description="bearerbox' admin port"
    )
    password: SecretStr = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file that holds the admin password")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "password")
        _check_url(self, "admin_url")
        return self


class Webhook(Section):
    """A gateway's own API."""

    url: str = Field("", description="where orders are posted; https, or http to this machine")
    secret: SecretStr = Field(SecretStr(""), description="better given as secret_file")
    secret_file: Path | None = Field(None, description="file that holds the key of the signatures")
    old_secret: SecretStr = Field(SecretStr(""), description="better given as old_secret_file")
    old_secret_file: Path | None = Field(
        None, description="file of the key before, which signs too until all receivers know the new"
    )
    ca_file: Path | None = Field(
        None, description="PEM of the authority of the server's certificate; none: the system's"
    )
    parallel: int = Field(16, ge=1, le=256, description="requests at a time")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "secret")
        _read_secret(self, "old_secret")
        _check_url(self, "url")
        return self


class Canary(Section):
    """A small flood of one's own, again and again, on numbers that nobody has."""

    first: str = Field(
        "8617000990000",
        pattern=r"^[1-9]\d{7,14}$",
        description="first of the reserved numbers, E.164 digits; use a range of your own",
    )
    numbers: int = Field(
        1000, ge=10, description="so many in a row, used in turn; the last tenth for --once"
    )
    period_s: float = Field(300, ge=5, description="between floods; an outage shows after three")
    deadline_s: Seconds = Field(60, description="for lease and acknowledgement; 2 s are usual")

    @property
    def turns(self) -> int:
        """Numbers that the daemon uses."""
        return self.numbers - self.numbers // 10

    @model_validator(mode="after")
    def _rested(self) -> Self:
        if self.turns * self.period_s < 2.5 * 86_400:
            raise ValueError(tr("every number needs 2.5 days of rest: raise numbers or period_s"))
        return self


class Feed(Section):
    """Facts that feeds cannot see in what they read."""

    avro_schemas: dict[str, Path] = Field(
        default_factory=dict,
        description="schema id -> file (.avsc) of the writer's schema, for `feed kafka`; no "
        "registry is asked, so that a feed needs none",
    )

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        wrong = [name for name in self.avro_schemas if not name.isdecimal()]
        if wrong:
            raise ValueError(
                tr("avro_schemas: {wrong} is no schema id").format(wrong=", ".join(wrong))
            )
        return self


class GateSettings(Section):
    """The gate that gateways ask about each message, and its way to Kafka."""

    socket: Path | None = Field(
        None,
        description="path of a Unix socket to listen on; whoever may write to it may ask, so give "
        "it to the gateway's group",
    )
    socket_mode: str = Field(
        "0660", pattern="^0?[0-7]{3}$", description="rights of the socket: owner and group"
    )
    host: str = Field(
        "127.0.0.1", description="address to listen on; any but loopback asks a token"
    )
    port: int | None = Field(
        9080, ge=1, le=65_535, description="port to listen on; 9080 is free on most gateways"
    )
    token: SecretStr = Field(SecretStr(""), description="better given as token_file")
    token_file: Path | None = Field(
        None,
        description="file of the token that clients send (Authorization: Bearer); none: whoever "
        "reaches the gate may ask, and so learn who is under attack",
    )
    timeout_ms: float = Field(
        20, gt=0, le=10_000, description="the clients' time-out: later answers are counted as late"
    )
    text: Literal["none", "prefix", "whole"] = Field(
        "none", description="how much of a text its event carries; the gate has read it already"
    )
    spool_dir: Path = Field(
        Path("/var/lib/otpguard/gate"), description="where events wait until Kafka has them"
    )
    spool_bytes_max: int = Field(
        1 << 30,
        ge=1 << 20,
        description="of waiting events; past it the oldest are lost. 1 GiB is 15 min at 3,000/s",
    )
    spool_age_s: Seconds = Field(
        3600, description="older events are lost: a flood of an hour ago needs no throttle"
    )
    queue_max: int = Field(
        50_000,
        ge=1_000,
        description="events between answer and disk: 16 s at 3,000/s of a disk that hangs",
    )
    connections_max: int = Field(
        1_024, ge=1, description="of clients; past it the longest idle one has to go"
    )
    drain_s: Seconds = Field(
        5, description="at the end, for clients to come for a last answer and go elsewhere"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "token")
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


class Http(Section):
    """Metrics and health."""

    host: str = Field("127.0.0.1", description="loopback unless an operator says otherwise")
    port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="0: any free; none: the first of its kind of process, worker 9464 (the usual "
        "port of exporters), adapter 9465, feed 9466, canary 9467, gate 9468. Processes "
        "that share a file need it in their own environment, OTPGUARD_HTTP_PORT",
    )

    def port_of(self, kind: str) -> int:
        """The port of a process of this kind, a key of `PORTS`."""
        return PORTS[kind] if self.port is None else self.port
