"""The tables of the settings file: each setting with its unit (in the name), default and reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from detectors.bars import BURST_MARGIN_MAX, HOT_LEAD, HOT_LEAD_MOST, LEASE_MAX_MS
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
from streams.tls import LOOPBACK

if TYPE_CHECKING:
    from detectors.leases.rails import RailParams

PORTS: Final = {
    "worker": 9464, "adapter": 9465, "feed": 9466, "canary": 9467, "gate": 9468, "desk": 9469,
    "indexer": 9470, "notifier": 9471, "signal": 9472, "campaigns": 9473,
    "platforms": 9475,
}  # fmt: skip
"""Kind of process -> where it serves metrics and health, so that one of each fits on a machine."""

DESK_ROLES: Final = ("agent", "lead", "analyst", "evidence", "approver", "auditor", "admin")
"""Values of `streams.desk.store.roles.DeskRole`, which settings do without; a test holds them
equal."""

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
    if not line and name != "password":  # units name a file of it for brokers that ask for none
        raise ValueError(
            tr("{name}_file {path}: its first line is empty").format(name=name, path=path)
        )
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
    shared_senders: tuple[str, ...] = Field(
        (),
        description="names that many platforms send under, besides the shipped ones: there the "
        "text of a code tells the platform; `calibrate` proposes them",
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
        description="the longest lease: a slow flood has one of three and a half of its "
        "gaps, so that it does not end between two codes; as lease_s: all are alike",
    )
    quiet_s: int = Field(
        QUIET_S,
        ge=60,
        description="without the flood for so long, or one and a half leases, an episode is over",
    )
    hot: Literal["off", "partition", "network"] = Field(
        "partition",
        description="platforms that other floods of the week abuse are evidence; partition: each "
        "partition knows those of its own recipients; needs worker.state_format 3; network: those "
        "of all, by `otpguard agent platforms`, which appends lists to the input: only where that "
        "topic is otpguard's own; needs worker.state_format 4",
    )
    hot_key: SecretStr = Field(
        SecretStr(""),
        description="with network: signs these lists, 16 characters or more; better given as "
        "hot_key_file; worker and agent have the same",
    )
    hot_key_file: Path | None = Field(
        None, description="file that holds that key; read by workers and that agent alone"
    )
    hot_old_key_file: Path | None = Field(
        None, description="file of the key before, until no list that it signed is in the input"
    )
    again: bool = Field(
        default=True,
        description="under a lease a refused platform's code passes when it is asked for again one "
        "to two and a half minutes later, few in twelve; needs worker.state_format 4",
    )
    hot_lead: int = Field(
        int(HOT_LEAD.throttle),
        ge=int(HOT_LEAD.throttle),
        le=HOT_LEAD_MOST,
        description="so many more of them than of others, new to a recipient within a day, are a "
        "flood; 10 where people differ much in how many they use, as `calibrate` measures it",
    )
    hot_cold_half: bool = Field(
        default=False,
        description="a platform that is not one of them takes half a point from that lead, not a "
        "whole one: finds more where the list covers half of a tool; if `calibrate` proposes it",
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


class Notify(Section):
    """Notices to victims: from whom, in which language, by which way, and how many."""

    operator: str = Field("", description="name that notices are signed with, such as 中国移动")
    operators: dict[str, str] = Field(
        default_factory=dict,
        description="language -> the name in it, where it is another: "
        '{"en" = "China Mobile"}; a Chinese name leaves a text in English 70 characters',
    )
    sender: str = Field(
        "", description="number or name that notices come from, such as 10086; known to everybody"
    )
    language: str = Field("zh-Hans", description="of the texts: zh-Hans, zh-Hant, en, or a file's")
    languages: dict[str, str] = Field(
        default_factory=dict,
        description="digits that a number begins with -> its language; the longest counts, such "
        'as {"852" = "zh-Hant"}',
    )
    texts_file: Path | None = Field(
        None, description="TOML with texts of one's own, by language; over the shipped ones"
    )
    zone: str = Field("Asia/Shanghai", description="the clock of the texts, by its IANA name")
    channel: Literal["file", "smpp", "jasmin", "webhook"] = Field(
        "file", description="the way to phones; smpp has a section of its own"
    )
    file: Path = Field(
        Path("/var/lib/otpguard/notices.jsonl"), description="lines of JSON, for channel file"
    )
    url: str = Field(
        "", description="of Jasmin's /send, or of a webhook; https, or http to this machine"
    )
    username: str = Field("", description="user at Jasmin")
    password: SecretStr = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file that holds Jasmin's password")
    secret: SecretStr = Field(SecretStr(""), description="better given as secret_file")
    secret_file: Path | None = Field(None, description="file that holds a webhook's key")
    ca_file: Path | None = Field(
        None, description="PEM of the authority of the server's certificate; none: the system's"
    )
    answer_s: float = Field(
        10,
        gt=0,
        le=60,
        description="for an answer; later the notice may have gone, and is not sent again",
    )
    gateways: list[str] = Field(
        default_factory=list,
        description="gateways whose lease is told of once they hold it; none: any. An adapter that "
        "only logs has to be left out",
    )
    hold_off_h: float = Field(
        24, ge=1, le=720, description="a number gets no second notice for so long"
    )
    per_minute: int = Field(
        600,
        ge=1,
        le=60_000,
        description="notices a minute: what the SMSC may carry, and the most that a machine gone "
        "wrong may send; 5,000 victims take 8 min",
    )
    age_max_s: float = Field(
        600, ge=10, description="a notice that could not go for so long says what is over"
    )
    end: bool = Field(default=False, description="tell victims too when it is over")
    taken_back: bool = Field(
        default=False,
        description="tell a number when somebody releases or exempts it: an agent may be deceived",
    )
    reply: bool = Field(
        default=False,
        description="let victims open new platforms for one code within 10 min by a reply; "
        "teaches people to reply to messages, so it is off",
    )
    reply_command: str = Field(
        "KX", pattern=r"^[A-Za-z]{2,8}$", description="the whole reply, in any case"
    )
    reply_to: list[str] = Field(
        default_factory=list, description="numbers that replies are sent to, such as 10086"
    )
    reply_gateways: list[str] = Field(
        default_factory=list,
        description="gateways that vouch for the sender of a message from a phone: those of one's "
        "own radio network. Of others anybody could be named as the sender",
    )
    reply_topic: str = Field(
        "",
        description="topic of messages from phones, in the contract of the input; empty: the input",
    )
    reply_platforms_max: int = Field(
        8,
        ge=1,
        le=64,
        description="platforms that a reply opens for one code each, the newest first; a gateway "
        "lets three such codes and second requests through in 12 min, whatever this says",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "password")
        _read_secret(self, "secret")
        _check_url(self, "url")
        if self.reply and not (self.reply_to and self.reply_gateways):
            raise ValueError(
                tr("reply needs reply_to and reply_gateways: else anybody could reply for anybody")
            )
        return self


class Smpp(Section):
    """The SMSC that notices are submitted to, for notify.channel smpp."""

    host: str = Field("127.0.0.1", description="of the SMSC; Jasmin's SMPP server will do")
    port: int = Field(2775, ge=1, le=65_535, description="its port; 2775 is the usual one")
    system_id: str = Field("", max_length=15, description="user of the bind")
    password: SecretStr = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(
        None, description="file that holds the bind's password; 8 characters at most, by SMPP"
    )
    system_type: str = Field("", max_length=12, description="of the bind; most SMSCs ask for none")
    source_ton: int = Field(
        0, ge=0, le=6, description="type of number of notify.sender: 0 unknown, 3 short, 5 a name"
    )
    source_npi: int = Field(0, ge=0, le=18, description="numbering plan of notify.sender")
    validity_s: int = Field(
        3600, ge=0, le=604_800, description="the SMSC then forgets a notice; 0: as it likes"
    )
    tls: bool = Field(default=False, description="TLS; else the line has to be one's own")
    ca_file: Path | None = Field(
        None, description="PEM of the authority of the SMSC's certificate; none: the system's"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "password")
        if len(self.password.get_secret_value()) > 8:
            raise ValueError(tr("a password of SMPP has 8 characters at most"))
        return self


class Reports(Section):
    """Reports to platforms whose pages were used, and by whom they are sent."""

    contacts_file: Path | None = Field(
        None, description="whom to tell of which platform, TOML or CSV; none: nobody is told"
    )
    org: str = Field("", description="name of the operator in reports")
    mail_from: str = Field("", description="address that reports come from, and answers go to")
    mail: Literal["maildir", "smtp"] = Field(
        "maildir", description="maildir: reports lie in a folder until somebody sends them"
    )
    maildir: Path = Field(
        Path("/var/lib/otpguard/reports"), description="the folder; made if it is not there"
    )
    smtp_host: str = Field("127.0.0.1", description="of the mail server")
    smtp_port: int = Field(25, ge=1, le=65_535, description="its port; 465 is TLS from the start")
    smtp_tls: bool = Field(default=True, description="STARTTLS, with a certificate that is right")
    smtp_username: str = Field("", description="user at the mail server; empty: none")
    password: SecretStr = Field(SecretStr(""), description="better given as password_file")
    password_file: Path | None = Field(None, description="file that holds its password")
    messages_min: int = Field(
        20, ge=1, description="of a day; a platform that was used less gets no letter"
    )
    at_once: int = Field(
        500, ge=1, description="messages of a day over which `--at-once` does not wait for its end"
    )
    days: int = Field(
        14, ge=2, le=180, description="looked back, to tell if a platform that was told improves"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "password")
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


class DeskSettings(Section):
    """The desk's case store: where it is, how long it remembers, and who it knows by token."""

    store: str = Field(
        "sqlite:////var/lib/otpguard/desk/desk.db",
        description="URL of the case store: a file of SQLite (an index is put beside it), or "
        "postgresql+psycopg://user@host/database, where several machines have a console",
    )
    password: SecretStr = Field(SecretStr(""), description="of PostgreSQL; better as password_file")
    password_file: Path | None = Field(None, description="file that holds the password")
    cases_days: int = Field(
        180,
        ge=1,
        le=3_650,
        description="a case, its leases, messages, notices and words about its number are kept "
        "for so long after its end; six months are what the Cybersecurity Law (Art. 21) asks of "
        "network logs",
    )
    audit_days: int = Field(
        180, ge=180, le=3_650, description="lines of the audit are kept, six months at least"
    )
    papers_days: int = Field(
        1_095,
        ge=1,
        le=3_650,
        description="notes, calls, appeals and proposals are kept: three years, as the records of "
        "impact assessments (PIPL Art. 56)",
    )
    batch_records_max: int = Field(
        2_000,
        ge=1,
        le=50_000,
        description="records in one transaction; more are hardly faster, and others wait longer",
    )
    stale_s: Seconds = Field(
        60,
        description="an index that is further behind is called stale wherever it is shown; it is "
        "written to each second",
    )
    token_key_files: dict[str, Path] = Field(
        default_factory=dict,
        description="key id -> file of the key with which feeds make tokens of numbers "
        "(HMAC-SHA-256 of the E.164 digits): a number that is typed is looked for by its tokens "
        "too; whoever has a key can undo the tokens, so give it to the desk alone",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "password")
        for key_id, path in self.token_key_files.items():
            if not re.fullmatch("[0-9A-Za-z_-]{1,16}", key_id):
                raise ValueError(tr("token_key_files: {key} is no key id").format(key=key_id))
            if not path.is_file():
                raise ValueError(tr("no such file: {path}").format(path=path))
        return self


class EvidenceSettings(Section):
    """Evidence packs: who makes them, by which key."""

    unit: str = Field(
        "", description="name of the unit that provides evidence, for the cover sheet"
    )
    contact: str = Field("", description="address and telephone of the unit, for the cover sheet")
    zone: str = Field(
        "Asia/Shanghai",
        description="zone of the local times in reports, which have UTC beside them (IANA name)",
    )
    key: SecretStr = Field(SecretStr(""), description="the pack key in PEM; better as key_file")
    key_file: Path | None = Field(
        None,
        description="file of the pack key, that `otpguard evidence key new` makes; nobody but its "
        "owner may read it",
    )
    key_uri: str = Field(
        "",
        pattern=r"^(pkcs11:\S+)?$",
        description="the pack key in hardware, by its PKCS#11 URI with token, object and "
        "module-path; it never leaves there",
    )
    pin: SecretStr = Field(SecretStr(""), description="better given as pin_file")
    pin_file: Path | None = Field(None, description="file that holds the PIN of key_uri's token")
    signers_file: Path | None = Field(
        None,
        description="list of successors, that `otpguard evidence key rotate` writes; goes into "
        "every pack, so that who knows an earlier fingerprint can check it",
    )
    tsa_url: str = Field(
        "", description="time-stamping authority (RFC 3161); empty: tokens are brought by hand"
    )

    @model_validator(mode="after")
    def _there(self) -> Self:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(tr("zone {zone!r}: no such zone").format(zone=self.zone)) from None
        _check_url(self, "tsa_url")
        _read_secret(self, "pin")
        named = (self.key_file, self.key_uri, self.key.get_secret_value())
        if sum(map(bool, named)) > 1:
            raise ValueError(tr("one pack key: key_file, key_uri or key"))
        return self

    @property
    def has_key(self) -> bool:
        """True if a pack key is named."""
        return bool(self.key_uri or self.key_file or self.key.get_secret_value())


class SignalSettings(Section):
    """The signal to banks, which is answered from the desk's case store."""

    host: str = Field("127.0.0.1", description="address to listen on; any but loopback needs TLS")
    port: int = Field(9091, ge=1, le=65_535, description="port to listen on")
    cert_file: Path | None = Field(None, description="PEM of the server's certificate chain")
    key_file: Path | None = Field(None, description="PEM of its key")
    client_ca_file: Path | None = Field(
        None, description="PEM of the authorities of client certificates; none: tokens only"
    )
    clients_file: Path | None = Field(
        None, description="TOML of the banks that may ask: scopes, quotas, own platforms"
    )
    issuer: str = Field("", description="`iss` that access tokens must have")
    audience: str = Field("", description="`aud` that access tokens must have")
    jwks_file: Path | None = Field(None, description="keys of the authorisation server (JWKS)")
    jwks_url: str = Field("", description="the same by URL, read again every ten minutes")
    number_claim: str = Field(
        "phone_number", description="claim by which a three-legged token names its number"
    )
    stale_s: Seconds = Field(
        60, description="an index that is further behind answers 503, never that there is no flood"
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        _check_url(self, "jwks_url")
        if self.host not in LOOPBACK and (self.cert_file is None or self.key_file is None):
            raise ValueError(
                tr("host {host} is not loopback: cert_file and key_file are needed").format(
                    host=self.host
                )
            )
        if (self.jwks_file or self.jwks_url) and not (self.issuer and self.audience):
            raise ValueError(tr("tokens are checked by issuer and audience: name both"))
        return self


DeskDoor = Literal["password", "oidc", "proxy"]


class Console(Section):
    """The desk's pages: where they are, who may enter, and what an agent may do alone."""

    host: str = Field(
        "127.0.0.1", description="address to listen on; any but loopback asks TLS or a proxy"
    )
    port: int = Field(8470, ge=0, le=65_535, description="port to listen on; 0: any that is free")
    url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="address by which browsers reach it, such as https://desk.example; requests "
        "that name another are refused. Empty: that of host and port",
    )
    cert_file: Path | None = Field(None, description="PEM of the certificate; none: no TLS here")
    key_file: Path | None = Field(None, description="PEM of its key")
    proxies: tuple[str, ...] = Field(
        (),
        description="networks of the proxies in front, such as 10.0.0.5/32: their X-Forwarded-For "
        "is believed, and nobody else's",
    )
    enter: tuple[DeskDoor, ...] = Field(
        ("password",),
        min_length=1,
        description="ways in: password (local accounts), oidc, proxy (which has checked who comes)",
    )
    oidc_issuer: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="the provider's issuer, an https address"
    )
    oidc_client_id: str = Field("", description="the desk's name at the provider")
    oidc_secret: SecretStr = Field(SecretStr(""), description="better given as oidc_secret_file")
    oidc_secret_file: Path | None = Field(None, description="file of the client's secret")
    oidc_scope: str = Field("openid profile email", description="scopes that are asked for")
    oidc_name: str = Field(
        "sub",
        description="claim that names a person for ever; another, such as preferred_username, only "
        "where people cannot change it",
    )
    oidc_claim: str = Field("groups", description="claim that lists a person's groups")
    proxy_secret: SecretStr = Field(SecretStr(""), description="better given as proxy_secret_file")
    proxy_secret_file: Path | None = Field(
        None,
        description="file of what the proxy sends as X-Otpguard-Proxy: whoever reaches the port "
        "past it has no such word",
    )
    proxy_user: str = Field("x-forwarded-user", description="header that names the person")
    proxy_groups: str = Field(
        "x-forwarded-groups", description="header that lists the person's groups, with commas"
    )
    roles: dict[str, str] = Field(
        default_factory=dict,
        description="group at the provider or proxy -> role at the desk (agent, lead, analyst, "
        "evidence, approver, auditor, admin); who has none does not come in",
    )
    idle_s: Seconds = Field(900, description="a session ends after so long without a click")
    absolute_s: Seconds = Field(43_200, description="and after a shift, clicks or not")
    language: Literal["zh-Hans", "en"] = Field(
        "zh-Hans", description="of a browser that asks for none of ours"
    )
    zone: str = Field(
        "Asia/Shanghai", description="IANA name of the zone whose times are shown; records are UTC"
    )
    searches_per_min: int = Field(
        30, ge=1, description="of a person; a call takes minutes, so more is a list being tried"
    )
    unmasks_per_h: int = Field(20, ge=1, description="whole numbers shown to a person in an hour")
    acts_per_h: int = Field(
        60, ge=1, description="releases, allows and exempts of a person in an hour"
    )
    exempt_s: Seconds = Field(
        604_800, description="longest exempt by an agent; an attacker may have talked to one"
    )
    exempt_lead_s: Seconds = Field(
        7_776_000, description="longest exempt by a lead; beyond it a second person is needed"
    )
    appeal_s: Seconds = Field(
        259_200, description="time to decide an appeal; the law says promptly, three days is ours"
    )
    wait_s: Seconds = Field(3, description="for gateways to confirm a word before the page answers")
    streams_max: int = Field(
        3, ge=1, le=5, description="live lists of a session: a browser has six connections"
    )
    wide: bool = Field(
        default=False,
        description="words about everyone (kill switch, platform for all) by two people; the "
        "console's Kafka user needs the right to write them",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _read_secret(self, "oidc_secret")
        _read_secret(self, "proxy_secret")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError(tr("cert_file and key_file belong together"))
        for path in (self.cert_file, self.key_file):
            if path is not None and not path.is_file():
                raise ValueError(tr("no such file: {path}").format(path=path))
        if self.host not in LOOPBACK and self.cert_file is None and not self.proxies:
            raise ValueError(
                tr(
                    "host {host} is not loopback, and there is neither cert_file nor a proxy with "
                    "TLS in proxies: passwords and numbers would cross the network in clear"
                ).format(host=self.host)
            )
        if "oidc" in self.enter and not (self.oidc_issuer and self.oidc_client_id):
            raise ValueError(tr("to enter by oidc, oidc_issuer and oidc_client_id are needed"))
        if "proxy" in self.enter and not (self.proxies and self.proxy_secret.get_secret_value()):
            raise ValueError(tr("to enter by proxy, proxies and proxy_secret_file are needed"))
        if wrong := set(self.roles.values()) - set(DESK_ROLES):
            raise ValueError(tr("roles: there is no {role}").format(role=min(wrong)))
        self._check_names()
        return self

    def _check_names(self) -> None:
        """Refuse networks and zones that nobody knows, now and not at the first request."""
        from ipaddress import ip_network  # noqa: PLC0415 - start-up time
        from zoneinfo import ZoneInfo  # noqa: PLC0415

        for each in self.proxies:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError(tr("proxies: {each} is no network").format(each=each)) from None
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(tr("zone: there is no {zone}").format(zone=self.zone)) from None


class Http(Section):
    """Metrics and health."""

    host: str = Field("127.0.0.1", description="loopback unless an operator says otherwise")
    port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="0: any free; none: the first of its kind of process, worker 9464 (the usual "
        "port of exporters), adapter 9465, feed 9466, canary 9467, gate 9468, desk 9469, indexer "
        "9470, notifier 9471, signal 9472, campaigns 9473, platforms 9475. Processes that share a "
        "file need it in their own environment, OTPGUARD_HTTP_PORT",
    )

    def port_of(self, kind: str) -> int:
        """The port of a process of this kind, a key of `PORTS`."""
        return PORTS[kind] if self.port is None else self.port
