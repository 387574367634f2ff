"""Read settings from a TOML file and from environment variables.

This is a module of its own because it imports `pydantic_settings`, which takes start-up time. A
process that runs with defaults alone does not import it.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from streams.config.settings import ENVIRONMENT_PREFIX, Settings


def read_settings(table: Mapping[str, Any]) -> Settings:
    """Return the settings of a TOML file's tables, overridden by environment variables.

    Raises pydantic's ValidationError if a setting is invalid or unknown.
    """

    class Configured(Settings, BaseSettings):
        """`Settings` that read their values from the environment and the file."""

        model_config = SettingsConfigDict(
            env_prefix=ENVIRONMENT_PREFIX,
            env_nested_delimiter="_",
            env_nested_max_split=1,
            extra="forbid",
            frozen=True,
            hide_input_in_errors=True,
            validate_default=True,
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
            """Return the sources in order of precedence: the environment, then the file."""
            return env_settings, InitSettingsSource(settings_cls, dict(table))

    return Configured()
