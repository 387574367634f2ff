"""All settings of a process, and what the parts of the program make of them."""

from __future__ import annotations

import hashlib
import secrets
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from detectors import chain
from detectors.episodes.episode import EpisodeParams
from detectors.recipients.sieve import SieveParams
from detectors.recognise.registry import Registry, RegistryError
from detectors.suspects.clocks import ClockClass, ClockParams
from detectors.suspects.judge import JudgeParams
from streams.config.sections import (
    Canary,
    Detect,
    Enforce,
    Feed,
    Http,
    Input,
    Kafka,
    Kannel,
    Recognise,
    Redis,
    Topics,
    Webhook,
    WorkerSettings,
)
from streams.errors import ConfigError
from streams.wire import Intake, Numbers

if TYPE_CHECKING:
    from detectors.recognise.recogniser import Recogniser


ENVIRONMENT_PREFIX: Final = "OTPGUARD_"

TABLE: Final = "recipients"
"""Faust's name of the states' table, of which it makes the name of their changelog."""

SEED: Final = secrets.randbits(64)
"""Of this process: where numbers and names hash to that outsiders choose, they must not know."""

_UNDECIDING: Final = {"registry_file", "refused_share_max", "dead_letters_per_s"}
"""Settings that no decision depends on, or whose file is looked at itself."""


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
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
        EpisodeParams().epoch,
        ge=0,
        description="raised by one when the input topic is created anew: offsets restart",
    )
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    input: Input = Input()
    recognise: Recognise = Recognise()
    detect: Detect = Detect()
    worker: WorkerSettings = WorkerSettings()
    feed: Feed = Feed()
    http: Http = Http()
    enforce: Enforce = Enforce()
    redis: Redis = Redis()
    kannel: Kannel = Kannel()
    webhook: Webhook = Webhook()
    canary: Canary = Canary()

    @property
    def changelog(self) -> str:
        """Topic of the checkpoints, by Faust's rule."""
        return f"{self.app_id}-{TABLE}-changelog"

    def intake(self) -> Intake:
        """The rules by which records are taken in."""
        return Intake(
            numbers=Numbers(self.input.country),
            counted_type=self.input.counted_type,
            value_bytes_max=self.input.value_bytes_max,
            ahead_max_ms=round(self.input.ahead_max_s * 1000),
        )

    def registry(self) -> tuple[Registry, list[str]]:
        """The platforms, and a sentence for each where the operator's file changes a shipped one.

        Raise ConfigError if the file cannot be used.
        """
        path = self.recognise.registry_file
        shipped = Registry.shipped()
        if path is None:
            return shipped, []
        try:
            return shipped.merged(Registry.load(path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError, RegistryError) as error:
            raise ConfigError(f"recognise.registry_file {path}: {error}") from None

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
        detect = self.detect
        try:
            return chain.Params(
                sieve=SieveParams(rows_max=detect.recipients_max, window_s=detect.window_s),
                judge=JudgeParams(detect.p_novel, detect.burst_margin),
                episode=EpisodeParams(
                    mode=self.mode,
                    epoch=self.epoch,
                    version=version("otpguard"),
                    config=self.fingerprint(),
                    lease_ms=detect.lease_s * 1000,
                    episode_most_s=detect.episode_max_s,
                    quiet_s=detect.quiet_s,
                    cold_known=detect.cold_known,
                    enforce_cold=detect.enforce_cold,
                    chronic_days=detect.chronic_days,
                ),
                stamps=ClockParams(
                    gateways={
                        name: ClockClass[each.upper()] for name, each in detect.stamps.items()
                    }
                ),
                suspects_max=detect.suspects_max,
                names_max=detect.names_max,
                seed=SEED,
            )
        except ValueError as error:
            raise ConfigError(f"detect: {error}") from None

    def fingerprint(self) -> str:
        """Twelve hex digits that change with every setting and file that decisions depend on."""
        digest = hashlib.sha256()
        for section in (self.input, self.recognise, self.detect):
            digest.update(section.model_dump_json(exclude=_UNDECIDING).encode())
        digest.update(f"{self.mode} {self.epoch}".encode())
        if self.recognise.registry_file is not None:
            digest.update(self.recognise.registry_file.read_bytes())
        return digest.hexdigest()[:12]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments (tests), then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
