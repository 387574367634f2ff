"""Settings from where they are written; a process for which none are needs none of this."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from streams.config.settings import ENVIRONMENT_PREFIX, Settings


def configured(path: Path | None) -> Settings:
    """Return the settings of a TOML file, with the environment over it.

    Raise pydantic's ValidationError where one is wrong or unknown.
    """

    class Configured(Settings, BaseSettings):
        """Settings that look for themselves."""

        model_config = SettingsConfigDict(
            env_prefix=ENVIRONMENT_PREFIX,
            env_nested_delimiter="_",
            env_nested_max_split=1,
            extra="forbid",
            frozen=True,
            hide_input_in_errors=True,
            validate_default=True,
            toml_file=path,
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The environment, then the file."""
            return env_settings, TomlConfigSettingsSource(settings_cls)

    return Configured()
