"""Settings of a worker: its input, recognition of codes, detection of floods, and its state."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from detectors.bars import (
    BURST_MARGIN_MAX,
    EPISODE_MAX_MS,
    HOT_LEAD,
    HOT_LEAD_MOST,
    LEASE_MAX_MS,
)
from detectors.defaults import (
    CHRONIC_DAYS,
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
from streams.config.sections.section import Seconds, Section
from streams.language import tr
from streams.limits import AHEAD_MAX_MS, VALUE_BYTES_MAX


class Input(Section):
    """How input records are decoded: the country, the limits and which events count."""

    country: str = Field(
        "CN",
        pattern="^[A-Z]{2}$",
        description="ISO 3166 code: numbers in national form are read by its plan, and trusted by "
        "its registry; mode enforce starts only if it is set",
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
        description="a message this far ahead of its record is judged by the record's time; others "
        "are refused",
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
    """How verification codes are recognised among all messages."""

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
    """How floods are detected. Sizes are per partition."""

    recipients_max: int = Field(
        ROWS_MAX,
        ge=16_384,
        description="rows of a partition: some 165 bytes each when used; the longest idle go first",
    )
    window_s: int = Field(
        WINDOW_S, ge=1, description="tumbling window of the counts; 5 min show a flood whole"
    )
    suspects_max: int = Field(
        SUSPECTS_MAX, ge=1, description="recipients followed one by one; 3.4 kB each"
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
        "partition knows those of its own recipients; network: those of all, by `otpguard agent "
        "platforms`, which appends lists to the input: only where that topic is otpguard's own",
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
        "to two and a half minutes later, few in twelve",
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
        EPISODE_MOST_S,
        ge=60,
        le=EPISODE_MAX_MS // 1000,
        description="an episode's longest, a day at most, for gateways take no lease of an older "
        "one; then it is found anew",
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
    rules: dict[str, Literal["off", "shadow", "enforce"]] = Field(
        default_factory=dict,
        description="rule -> off, shadow or enforce, for returns, volume, relapse, limit, young, "
        "narrow and known; a rule that is not here enforces; to take in one at a time",
    )
    stamps: dict[str, Literal["exact", "minute", "jitter_30s", "jitter_120s"]] = Field(
        default_factory=dict,
        description="gateway -> how exact its event times are; beats what is measured",
    )


class WorkerSettings(Section):
    """The worker process: its identity, its checkpoints and its timeouts."""

    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="stable name of this worker's slot (static membership): a restart then moves "
        "no partition; empty: a dynamic member",
    )
    data_dir: Path = Field(
        Path("/tmp/otpguard"),  # noqa: S108 - has no state; Faust needs a folder
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
    revoke_deadline_s: Seconds = Field(
        5, description="for the last checkpoint when partitions leave; under the session timeout"
    )
    stall_s: Seconds = Field(
        60, ge=10, description="without progress for so long the worker exits 75; over any pause"
    )
    stop_s: Seconds = Field(20, description="a stop that takes longer is cut short with exit 75")
