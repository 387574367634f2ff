"""All settings of a process, and methods that convert them to parameters for the other packages."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from detectors.defaults import EPOCH
from streams import __version__
from streams.common import ConfigError, tr
from streams.config.sections.desk_settings import (
    Console,
    DeskSettings,
    EvidenceSettings,
    SignalSettings,
)
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
from streams.config.sections.kafka import Kafka, Primary, Topics
from streams.config.sections.notices import Notify, Reports, Smpp
from streams.config.sections.section import Section
from streams.config.sections.serving import Http

if TYPE_CHECKING:
    from pathlib import Path

    from detectors import chain
    from detectors.episodes.lease import EpisodeParams
    from detectors.recognise.platform.registry import Registry
    from detectors.recognise.recogniser import Recogniser
    from streams.wire import Intake


ENVIRONMENT_PREFIX: Final = "OTPGUARD_"

TABLE: Final = "recipients"
"""Name of the Faust table for the partitions' states. Faust derives the changelog topic from it."""

SEED: Final = secrets.randbits(64)
"""Random seed of this process for hashes of numbers and names that outsiders choose. If outsiders
knew the seed, they could choose values whose hashes collide."""

KEY_BYTES_MIN: Final = 16
"""Smallest length of a key for signatures or pseudonyms, in bytes: 128 bits if all are random. A
shorter key can be guessed."""

_UNDECIDING: Final = {"registry_file", "memory_key_file", "refused_share_max", "dead_letters_per_s"}
"""Settings that are not part of the fingerprint: no decision depends on them, or the fingerprint
covers the content of their file instead."""


class Settings(BaseModel):
    """All settings of one process. The constructor also accepts sections as dictionaries.

    The methods import the detector's modules only when they are called. Many commands read the
    settings but need little or nothing of the detector, and start faster without it.
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
        description="name of the consumer group, and part of the changelog's name; a new "
        "name starts without any state",
    )
    mode: Literal["shadow", "enforce"] = Field(
        "shadow", description="in shadow mode leases are published, but no gateway enforces them"
    )
    epoch: int = Field(
        EPOCH,
        ge=0,
        description="raise by one when the input topic is created again, because offsets "
        "restart then",
    )
    kafka: Kafka = Field(default_factory=Kafka)
    primary: Primary = Field(default_factory=Primary)
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
        """Return the default settings without validation, to save start-up time.

        A test validates the defaults.
        """
        sections: dict[str, Any] = {
            name: field.annotation.model_construct()
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        }
        return Settings.model_construct(**sections)

    @property
    def changelog(self) -> str:
        """Name of the changelog topic for checkpoints, by Faust's naming rule."""
        return f"{self.app_id}-{TABLE}-changelog"

    def check_country(self) -> None:
        """Raise ConfigError if the mode is `enforce` and `input.country` is not set.

        The country decides which national sender numbers are trusted. In shadow mode a wrong
        default does no harm.
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
        """Return the rules by which input records are decoded and counted."""
        from streams.wire import Intake, Numbers  # noqa: PLC0415 - start-up time

        return Intake(
            numbers=Numbers(self.input.country),
            counted_type=self.input.counted_type,
            value_bytes_max=self.input.value_bytes_max,
            ahead_max_ms=round(self.input.ahead_max_s * 1000),
            listed=self.network,
            memory=self.detect.memory_key_file is not None,
        )

    def registry(self) -> tuple[Registry, list[str]]:
        """Return the registry of platforms, and one sentence for each change of a shipped platform.

        The registry joins the shipped platforms and the operator's `registry_file`. Raises
        ConfigError if this file cannot be used.
        """
        from detectors.recognise.platform.registry import (  # noqa: PLC0415 - start-up time
            Registry,
            RegistryError,
            sender_key,
        )

        path = self.recognise.registry_file
        shared = frozenset(map(sender_key, self.recognise.shared_senders))
        shipped, _ = Registry.load_shipped(self.input.country).merge(Registry(shared=shared))
        if path is None:
            return shipped, []
        try:
            return shipped.merge(Registry.load(path.read_text("utf-8-sig")))
        except (OSError, UnicodeDecodeError, RegistryError) as error:
            raise _no_registry(path, error) from None

    def recogniser(self) -> Recogniser:
        """Return a recogniser with an empty cache. Raises ConfigError like `registry`."""
        # Imported here because its patterns take long to compile and few commands need them.
        from detectors.recognise.recogniser import RecogniseParams, Recogniser  # noqa: PLC0415

        settings = self.recognise
        return Recogniser(
            self.registry()[0], RecogniseParams(settings.confidence_min, settings.templates_max)
        )

    def params(self) -> chain.Params:
        """Return the detection parameters. Decisions depend on them and on the input log alone.

        Raises ConfigError if settings contradict each other.
        """
        from detectors import chain  # noqa: PLC0415 - start-up time
        from detectors.episodes.lease import EpisodeParams  # noqa: PLC0415
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
                    rules=detect.rules,
                ),
                episode=EpisodeParams(
                    epoch=self.epoch,
                    version=__version__,
                    config=self.fingerprint(),
                    lease_ms=detect.lease_s * 1000,
                    lease_most_ms=detect.lease_max_s * 1000,
                    episode_most_s=detect.episode_max_s,
                    quiet_s=detect.quiet_s,
                    **self._protection(),
                    chronic_days=detect.chronic_days,
                    again=detect.again,
                    window_records=detect.again_records,
                ),
                stamps=ClockParams(
                    gateways={
                        name: ClockClass[each.upper()] for name, each in detect.stamps.items()
                    }
                ),
                suspects_max=detect.suspects_max,
                names_max=detect.names_max,
                list_keys=self.list_keys(),
                memory_keys=self.memory_keys(),
                seed=SEED,
            )
        except ValueError as error:
            raise ConfigError(tr("detect: {error}").format(error=error)) from None

    def protection(self) -> EpisodeParams:
        """Return the mode, and how much of a number must be known to enforce its leases."""
        from detectors.episodes.lease import EpisodeParams  # noqa: PLC0415 - start-up time

        return EpisodeParams(**self._protection())

    def _protection(self) -> dict[str, Any]:
        detect = self.detect
        cold = {name: getattr(detect, name) for name in ("cold_known", "cold_days", "enforce_cold")}
        return {"mode": self.mode, **cold}

    @property
    def hot(self) -> bool:
        """True if hot platforms (abused by other floods) count as evidence of a flood."""
        return self.detect.hot != "off"

    @property
    def network(self) -> bool:
        """True if the worker uses the network's lists of hot platforms from the input topic."""
        return self.detect.hot == "network"

    def list_keys(self) -> tuple[bytes, ...]:
        """Return the keys that sign lists of hot platforms, the current key first.

        Returns no key if lists are not used. Key files are read only when needed, because adapters
        and commands have no permission to read them. Raises ConfigError if there is no valid key.
        """
        if not self.network:
            return ()
        detect = self.detect
        given = detect.hot_key.get_secret_value().encode()
        if bool(given) == (detect.hot_key_file is not None):
            raise ConfigError(tr("detect.hot = network needs hot_key_file, or hot_key"))
        files = filter(None, (detect.hot_key_file, detect.hot_old_key_file))
        return _long_enough([given] * bool(given) + [_key_in(path) for path in files])

    def memory_keys(self) -> tuple[bytes, ...]:
        """Return the key that signs memory records; none if such records are not used.

        Raises ConfigError like `list_keys`.
        """
        path = self.detect.memory_key_file
        return () if path is None else _long_enough([_key_in(path, "memory_key_file")])

    def fingerprint(self) -> str:
        """Return 12 hex digits that identify the settings and files on which decisions depend.

        Raises ConfigError if the registry file cannot be read.
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
    return ConfigError(tr("recognise.registry_file {path}: {error}").format(path=path, error=error))


def _long_enough(keys: list[bytes]) -> tuple[bytes, ...]:
    if any(len(key) < KEY_BYTES_MIN for key in keys):
        raise ConfigError(
            tr("detect: a key has {least} characters or more").format(least=KEY_BYTES_MIN)
        )
    return tuple(keys)


def _key_in(path: Path, name: str = "hot_key_file") -> bytes:
    try:
        return path.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        raise ConfigError(f"detect.{name} {path}: {error.strerror}") from None
