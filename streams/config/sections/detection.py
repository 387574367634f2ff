"""Settings of a worker: its input, recognition of codes, detection of floods, and its state."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from detectors.defaults import (
    CHRONIC_DAYS,
    COLD_DAYS,
    COLD_KNOWN,
    EPISODE_MOST_S,
    LEASE_MOST_MS,
    LEASE_MS,
    NAMES_MAX,
    QUIET_S,
    ROWS_MAX,
    SUSPECTS_MAX,
    WINDOW_S,
)
from detectors.thresholds import (
    BURST_MARGIN_MAX,
    EPISODE_MAX_MS,
    HOT_LEAD,
    HOT_LEAD_MOST,
    LEASE_MAX_MS,
)
from streams.common import tr
from streams.common.limits import AHEAD_MAX_MS, VALUE_BYTES_MAX
from streams.config.sections.section import Seconds, Section


class Input(Section):
    """How input records are decoded: the country, the limits and which events count."""

    country: str = Field(
        "CN",
        pattern="^[A-Z]{2}$",
        description="ISO 3166 code of your country: its numbering plan reads national "
        "numbers, and its registry decides which are trusted; mode enforce "
        "starts only if this is set",
    )
    counted_type: Literal["submit", "deliver", "receipt"] = Field(
        "submit", description="event type that is counted; submitted messages show a flood first"
    )
    value_bytes_max: int = Field(
        VALUE_BYTES_MAX,
        ge=1024,
        description="maximum size of an event in bytes; a text of 255 parts has 51 kB, or "
        "103 kB if escaped",
    )
    ahead_max_s: Seconds = Field(
        AHEAD_MAX_MS / 1000,
        description="seconds that an event may be ahead of its record; above that, a message "
        "is judged by the record's time, and other events are refused",
    )
    refused_share_max: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of the newest records; if more would be refused, doctor reports "
        "an error",
    )
    dead_letters_per_s: float = Field(
        100,
        gt=0,
        le=1e6,
        description="maximum number of dead letters a second of a worker, in bursts of 10 "
        "seconds' worth. Above it only ranges of offsets are logged, so that "
        "invalid input is not all written twice",
    )

    @model_validator(mode="after")
    def _check_country(self) -> Self:
        import phonenumbers  # noqa: PLC0415 - start-up time

        if self.country not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(
                tr("country {country} has no numbering plan").format(country=self.country)
            )
        return self


class Recognise(Section):
    """How verification codes are recognised among all messages."""

    confidence_min: float = Field(
        0.5,
        gt=0,
        le=1,
        description="minimum confidence of a verification code; .5 balances both kinds of error",
    )
    registry_file: Path | None = Field(
        None,
        description="file with your own platforms, ports and trust classes; its "
        "entries replace the shipped ones",
    )
    shared_senders: tuple[str, ...] = Field(
        (),
        description="sender names that many platforms share, besides the shipped ones. For "
        "these the text decides which platform sent a code; `calibrate` "
        "recommends names",
    )
    templates_max: int = Field(
        32_768,
        ge=16,
        description="templates whose result is remembered, in two generations of this size; "
        "a carrier's hour has fewer",
    )


class Detect(Section):
    """How floods are detected. Sizes are per partition."""

    recipients_max: int = Field(
        ROWS_MAX,
        ge=16_384,
        description="maximum number of recipients of a partition, some 165 bytes each; when "
        "it is reached, those that were idle for longest are forgotten",
    )
    window_s: int = Field(
        WINDOW_S,
        ge=1,
        description="tumbling window of the message counts, in seconds; 5 "
        "minutes show a flood completely",
    )
    suspects_max: int = Field(
        SUSPECTS_MAX, ge=1, description="maximum number of suspects of a partition, 3.4 kB each"
    )
    names_max: int = Field(
        NAMES_MAX,
        ge=1,
        description="platform names remembered for explanations; the least "
        "recently used is dropped",
    )
    p_novel: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of ordinary sightings that are novel, as `calibrate` measured it; "
        "a lower share lowers the thresholds for slow floods; without it: not "
        "measured",
    )
    burst_margin: float = Field(
        0.0,
        ge=0,
        le=BURST_MARGIN_MAX,
        description="sightings added to the thresholds for fast floods, as `calibrate` "
        "recommends where people log in faster than assumed; each delays the "
        "throttle of an attack by half a minute or more",
    )
    lease_s: int = Field(
        LEASE_MS // 1000,
        ge=10,
        description="duration of a lease in seconds; most codes are valid for 10 minutes",
    )
    lease_max_s: int = Field(
        LEASE_MOST_MS // 1000,
        ge=10,
        le=LEASE_MAX_MS // 1000,
        description="maximum duration of a lease in seconds. A slow flood gets a lease of "
        "three and a half of its gaps, so that the lease does not end between "
        "two codes. Equal to lease_s: all leases have the same duration",
    )
    quiet_s: int = Field(
        QUIET_S,
        ge=60,
        description="seconds without a message of the flood after which an episode ends, or "
        "one and a half leases if that is longer",
    )
    hot: Literal["off", "partition", "network"] = Field(
        "partition",
        description="whether platforms that other floods of the week abuse are evidence. "
        "partition: each partition knows those of its own recipients. network: "
        "all know those of the whole network; `otpguard agent platforms` appends "
        "lists to the input, so that topic must belong to otpguard alone",
    )
    hot_key: SecretStr = Field(
        SecretStr(""),
        description="key that signs the lists of `network`, at least 16 characters, the same "
        "for workers and agent; better given as hot_key_file",
    )
    hot_key_file: Path | None = Field(
        None, description="file with the key of the lists; only workers and the agent may read it"
    )
    hot_old_key_file: Path | None = Field(
        None, description="file with the previous key, until the input has no list that it signed"
    )
    memory_key_file: Path | None = Field(
        None,
        description="file with the key that signs memory records, at least 16 characters. With it "
        "the worker adopts what `otpguard memory import` writes to the input; without it such "
        "records are passed over. Only workers and who imports may read it",
    )
    again: bool = Field(
        default=True,
        description="retry windows: if a lease refused a platform's code, its next code "
        "passes one to two and a half minutes later; a few in twelve minutes",
    )
    again_records: bool = Field(
        default=False,
        description="retry windows are records of their own, and no lease is published again for "
        "them; only where all gateways read version 2",
    )
    hot_lead: int = Field(
        int(HOT_LEAD.throttle),
        ge=int(HOT_LEAD.throttle),
        le=HOT_LEAD_MOST,
        description="threshold of the hot score: hot novel platforms of a day minus other "
        "novel platforms. Use 10 where people differ much in how many hot "
        "platforms they use",
    )
    hot_cold_half: bool = Field(
        default=False,
        description="let a platform that is not hot subtract half a point from the hot score "
        "instead of one; finds more floods where the list covers half of a tool. "
        "Use it only where people differ little in how many hot platforms they use",
    )
    episode_max_s: int = Field(
        EPISODE_MOST_S,
        ge=60,
        le=EPISODE_MAX_MS // 1000,
        description="maximum duration of an episode in seconds, a day at most, because "
        "gateways accept no lease of an older one; a flood that goes on is then "
        "detected again",
    )
    cold_known: int = Field(
        COLD_KNOWN,
        ge=0,
        description="recipients with fewer known platforms are throttled in shadow only during "
        "their first cold_days, because their habitual codes cannot be distinguished from the "
        "flood",
    )
    cold_days: int = Field(
        COLD_DAYS,
        ge=0,
        description="days since a recipient's first code from which it is throttled however few "
        "platforms it knows",
    )
    enforce_cold: bool = Field(
        default=False,
        description="enforce throttles for recipients below both cold_known and cold_days too",
    )
    chronic_days: int = Field(
        CHRONIC_DAYS,
        ge=1,
        le=14,
        description="days of 14 under throttle after which a number is reported as chronic",
    )
    rules: dict[str, Literal["off", "shadow", "enforce"]] = Field(
        default_factory=dict,
        description="rule -> off, shadow or enforce, for returns, volume, relapse, limit, young, "
        "narrow and known; of those that are not here, known is off and the others enforce",
    )
    stamps: dict[str, Literal["exact", "minute", "jitter_30s", "jitter_120s"]] = Field(
        default_factory=dict,
        description="precision of each gateway's event times; replaces the measured one",
    )


class WorkerSettings(Section):
    """The worker process: its identity, its checkpoints and its timeouts."""

    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="stable name of this worker in the group (static membership), so that a "
        "restart moves no partition; empty: a dynamic member",
    )
    data_dir: Path = Field(
        Path("/tmp/otpguard"),  # noqa: S108 - has no state; Faust needs a folder
        description="scratch folder of the stream engine; it has no state",
    )
    checkpoint_cycle_s: Seconds = Field(
        60, description="seconds between checkpoints; after a crash so much input is read again"
    )
    checkpoint_bytes_per_s: int = Field(
        20_000_000,
        ge=100_000,
        description="bandwidth of checkpoints in bytes a second; a cycle takes longer if the "
        "state needs it",
    )
    revoke_deadline_s: Seconds = Field(
        5,
        description="seconds for the last checkpoint when partitions are revoked; less "
        "than the session timeout",
    )
    stall_s: Seconds = Field(
        60,
        ge=10,
        description="seconds without progress after which the worker exits with "
        "75; longer than any normal pause",
    )
    stop_s: Seconds = Field(
        20, description="maximum duration of a stop in seconds; then the process exits with 75"
    )
