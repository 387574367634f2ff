"""All settings of a process, and what the parts of the program make of them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from detectors.defaults import EPOCH
from streams import __version__
from streams.config.sections.desk import Console, DeskSettings, EvidenceSettings, SignalSettings
from streams.config.sections.detection import Detect, Input, Recognise, WorkerSettings
from streams.config.sections.enforcement import (
    Canary,
    Enforce,
    Feed,
    GateSettings,
    Kannel,
    Redis,
    Webhook,
)
from streams.config.sections.kafka import Kafka, Topics
from streams.config.sections.notices import Notify, Reports, Smpp
from streams.config.sections.section import Section
from streams.config.sections.serving import Http
from streams.errors import ConfigError
from streams.language import tr

if TYPE_CHECKING:
    from pathlib import Path

    from detectors import chain
    from detectors.recognise.recogniser import Recogniser
    from detectors.recognise.registry import Registry
    from streams.wire import Intake


ENVIRONMENT_PREFIX: Final = "OTPGUARD_"

TABLE: Final = "recipients"
"""Faust's name of the states' table, of which it makes the name of their changelog."""

SEED: Final = secrets.randbits(64)
"""Of this process: where numbers and names hash to that outsiders choose, they must not know."""

KEY_BYTES_MIN: Final = 16
"""Of a key that signs, or makes tokens: 128 bits, if they are random; a shorter one is guessed."""

_UNDECIDING: Final = {"registry_file", "refused_share_max", "dead_letters_per_s"}
"""Settings that no decision depends on, or whose file is looked at itself."""


class Settings(BaseModel):
    """All settings of one process; sections may be given as tables.

    What they are made into is imported where it is made: settings are read by commands that need
    little of the detector, or none.
    """

    model_config = ConfigDict(
        defer_build=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    app_id: str = Field(
        "otpguard",
        pattern=r"^[a-z0-9][a-z0-9._-]*$",
        description="consumer group and name of the changelog: a new one starts from nothing",
    )
    mode: Literal["shadow", "enforce"] = Field(
        "shadow", description="shadow: leases are published and say that nobody obeys them"
    )
    epoch: int = Field(
        EPOCH,
        ge=0,
        description="raised by one when the input topic is created anew: offsets restart",
    )
    kafka: Kafka = Field(default_factory=Kafka)
    topics: Topics = Field(default_factory=Topics)
    input: Input = Field(default_factory=Input)
    recognise: Recognise = Field(default_factory=Recognise)
    detect: Detect = Field(default_factory=Detect)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    feed: Feed = Field(default_factory=Feed)
    http: Http = Field(default_factory=Http)
    enforce: Enforce = Field(default_factory=Enforce)
    redis: Redis = Field(default_factory=Redis)
    kannel: Kannel = Field(default_factory=Kannel)
    webhook: Webhook = Field(default_factory=Webhook)
    gate: GateSettings = Field(default_factory=GateSettings)
    canary: Canary = Field(default_factory=Canary)
    console: Console = Field(default_factory=Console)
    desk: DeskSettings = Field(default_factory=DeskSettings)
    notify: Notify = Field(default_factory=Notify)
    smpp: Smpp = Field(default_factory=Smpp)
    reports: Reports = Field(default_factory=Reports)
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings)
    signal: SignalSettings = Field(default_factory=SignalSettings)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)

    @classmethod
    def defaults(cls) -> Settings:
        """The settings where nobody sets any: checked by a test, and not at each start."""
        sections: dict[str, Any] = {
            name: field.annotation.model_construct()
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        }
        return Settings.model_construct(**sections)

    @property
    def changelog(self) -> str:
        """Topic of the checkpoints, by Faust's rule."""
        return f"{self.app_id}-{TABLE}-changelog"

    def check_country(self) -> None:
        """Raise ConfigError if leases are to be enforced and no setting names the country.

        The country decides whose national numbers are trusted. In shadow a default does no harm.
        """
        if self.mode == "enforce" and "country" not in self.input.model_fields_set:
            raise ConfigError(
                tr(
                    'input.country: mode = "enforce" trusts banks by the numbers of a country, and '
                    "none is set. Add the ISO 3166 code of yours in place of XX under [input]: "
                    'country = "XX", or set OTPGUARD_INPUT_COUNTRY=XX'
                )
            )

    def intake(self) -> Intake:
        """The rules by which records are taken in."""
        from streams.wire import Intake, Numbers  # noqa: PLC0415 - start-up time

        return Intake(
            numbers=Numbers(self.input.country),
            counted_type=self.input.counted_type,
            value_bytes_max=self.input.value_bytes_max,
            ahead_max_ms=round(self.input.ahead_max_s * 1000),
            listed=self.network,
        )

    def registry(self) -> tuple[Registry, list[str]]:
        """The platforms, and a sentence for each where the operator's file changes a shipped one.

        Raise ConfigError if the file cannot be used.
        """
        from detectors.recognise.registry import (  # noqa: PLC0415 - start-up time
            Registry,
            RegistryError,
            sender_key,
        )

        path = self.recognise.registry_file
        shared = frozenset(map(sender_key, self.recognise.shared_senders))
        shipped, _ = Registry.shipped(self.input.country).merged(Registry(shared=shared))
        if path is None:
            return shipped, []
        try:
            return shipped.merged(Registry.load(path.read_text("utf-8-sig")))
        except (OSError, UnicodeDecodeError, RegistryError) as error:
            raise _no_registry(path, error) from None

    def recogniser(self) -> Recogniser:
        """A recogniser with an empty cache. Raise ConfigError as `registry` does."""
        # Here, because its patterns take long to compile and few commands need them.
        from detectors.recognise.recogniser import RecogniseParams, Recogniser  # noqa: PLC0415

        settings = self.recognise
        return Recogniser(
            self.registry()[0], RecogniseParams(settings.confidence_min, settings.templates_max)
        )

    def params(self) -> chain.Params:
        """Return all that decisions depend on besides the log; ConfigError if in contradiction."""
        from detectors import chain  # noqa: PLC0415 - start-up time
        from detectors.episodes.episode import EpisodeParams  # noqa: PLC0415
        from detectors.recipients.sieve import SieveParams  # noqa: PLC0415
        from detectors.suspects.clocks import ClockClass, ClockParams  # noqa: PLC0415
        from detectors.suspects.judge import JudgeParams  # noqa: PLC0415

        detect = self.detect
        try:
            return chain.Params(
                sieve=SieveParams(rows_max=detect.recipients_max, window_s=detect.window_s),
                judge=JudgeParams(
                    detect.p_novel,
                    detect.burst_margin,
                    self.hot,
                    hot_lead=detect.hot_lead,
                    cold_half=detect.hot_cold_half,
                ),
                episode=EpisodeParams(
                    mode=self.mode,
                    epoch=self.epoch,
                    version=__version__,
                    config=self.fingerprint(),
                    lease_ms=detect.lease_s * 1000,
                    lease_most_ms=detect.lease_max_s * 1000,
                    episode_most_s=detect.episode_max_s,
                    quiet_s=detect.quiet_s,
                    cold_known=detect.cold_known,
                    enforce_cold=detect.enforce_cold,
                    chronic_days=detect.chronic_days,
                    again=detect.again,
                ),
                stamps=ClockParams(
                    gateways={
                        name: ClockClass[each.upper()] for name, each in detect.stamps.items()
                    }
                ),
                suspects_max=detect.suspects_max,
                names_max=detect.names_max,
                list_keys=self.list_keys(),
                seed=SEED,
            )
        except ValueError as error:
            raise ConfigError(tr("detect: {error}").format(error=error)) from None

    @property
    def hot(self) -> bool:
        """True if hot platforms are evidence."""
        return self.detect.hot != "off"

    @property
    def network(self) -> bool:
        """True if the network's lists of them are taken from the input."""
        return self.detect.hot == "network"

    def list_keys(self) -> tuple[bytes, ...]:
        """The keys of those lists, the present one first; none where no list is taken.

        Read when they are needed: what only enforces or looks has no right to them. Raise
        ConfigError if there is none that can be used.
        """
        if not self.network:
            return ()
        detect = self.detect
        given = detect.hot_key.get_secret_value().encode()
        if bool(given) == (detect.hot_key_file is not None):
            raise ConfigError(tr("detect.hot = network needs hot_key_file, or hot_key"))
        files = filter(None, (detect.hot_key_file, detect.hot_old_key_file))
        keys = [given] * bool(given) + [_key_in(path) for path in files]
        if any(len(key) < KEY_BYTES_MIN for key in keys):
            raise ConfigError(
                tr("detect.hot: a key has {least} characters or more").format(least=KEY_BYTES_MIN)
            )
        return tuple(keys)

    def fingerprint(self) -> str:
        """Twelve hex digits that change with every setting and file that decisions depend on.

        Raise ConfigError as `registry` does.
        """
        import hashlib  # noqa: PLC0415 - start-up time

        digest = hashlib.sha256()
        for section in (self.input, self.recognise, self.detect):
            digest.update(section.model_dump_json(exclude=_UNDECIDING).encode())
        digest.update(f"{self.mode} {self.epoch} {self.hot} {self.detect.again}".encode())
        if self.recognise.registry_file is not None:
            try:
                digest.update(self.recognise.registry_file.read_bytes())
            except OSError as error:
                raise _no_registry(self.recognise.registry_file, error) from None
        return digest.hexdigest()[:12]


def _no_registry(path: Path, error: Exception) -> ConfigError:
    """Say why the operator's file of platforms cannot be used."""
    return ConfigError(tr("recognise.registry_file {path}: {error}").format(path=path, error=error))


def _key_in(path: Path) -> bytes:
    try:
        return path.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        raise ConfigError(f"detect.hot_key_file {path}: {error.strerror}") from None
