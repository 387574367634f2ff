"""Load the settings, find the settings file, and explain each invalid setting.

Settings come from one TOML file. Environment variables override the file.
"""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from streams.common import MASK, ConfigError, mask_url, read_toml, suggest, tr
from streams.common.foreign import translate_message
from streams.config.settings import ENVIRONMENT_PREFIX, Settings

log = logging.getLogger(__name__)

PATH_VARIABLE: Final = "OTPGUARD_CONFIG"
PLACES: Final = (Path("otpguard.toml"), Path("/etc/otpguard/otpguard.toml"))
"""Settings files that are tried if no file is given: in the current folder, then in /etc."""

RESTARTS: Final = {
    "detect": (
        "each of these may change with a restart. Another window_s resets the counts "
        "of metrics; a smaller recipients_max forgets the recipients that were idle "
        "longest; all else applies from the next event on"
    ),
    "recognise": "a restart may change any of these; platforms named otherwise are new ones to "
    "every recipient",
}
"""Sections whose settings influence the stored state, and the effect of a change."""

REMOVED: Final = {
    f"evidence.{name}": "pack keys in hardware modules are gone: make a key file with "
    "`otpguard evidence key new`, let the old key sign it before you upgrade "
    "(`otpguard evidence key rotate`), and name it in evidence.key_file"
    for name in ("key_uri", "pin", "pin_file")
}
"""Dotted name of each setting that no longer exists -> what to do instead."""


def load(path: Path | None = None) -> Settings:
    """Return the settings of `path`, else of the file in OTPGUARD_CONFIG, else the defaults.

    Environment variables override all of them. Raises ConfigError with one line for each invalid
    setting.
    """
    path = chosen_path(path)
    _warn_of_misspelt(os.environ)
    table: dict[str, Any] = {}
    if path is not None:
        table = _table(path)
    elif not any(
        name.upper().startswith(ENVIRONMENT_PREFIX) for name in os.environ if name != PATH_VARIABLE
    ):
        return Settings.defaults()
    from pydantic_settings import SettingsError  # noqa: PLC0415 - start-up time

    try:
        return read_settings(table)
    except ValidationError as error:
        raise ConfigError("\n".join(sentences(error))) from None
    except SettingsError as error:  # a variable of a section or list is not JSON
        raise ConfigError(tr("{name}: no JSON").format(name=_variable(str(error)))) from None


def read_settings(table: Mapping[str, Any]) -> Settings:
    """Return the settings of a TOML file's tables, overridden by environment variables.

    Raises pydantic's ValidationError if a setting is invalid or unknown.
    """
    # pydantic_settings takes time to import. A process with defaults alone never comes here.
    from pydantic_settings import (  # noqa: PLC0415
        BaseSettings,
        InitSettingsSource,
        PydanticBaseSettingsSource,
        SettingsConfigDict,
    )

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
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """Return the sources in order of precedence: the environment, then the file."""
            return env_settings, InitSettingsSource(settings_cls, dict(table))

    return Configured()


def _variable(said: str) -> str:
    """Return the names of the variables that caused a SettingsError. Values may be secrets.

    >>> _variable('error parsing value for field "nobodys" from source "EnvSettingsSource"')
    'OTPGUARD_NOBODYS'
    """
    section = re.findall(r'"(\w+)"', said)[0]
    whole = f"{ENVIRONMENT_PREFIX}{section}".upper()
    field = Settings.model_fields.get(section)
    inner = getattr(field.annotation, "model_fields", {}) if field is not None else {}
    several = {
        f"{whole}_{name}".upper()
        for name, each in inner.items()
        if get_origin(each.annotation) in (tuple, list, dict)
    }
    named = {name.upper(): name for name in os.environ}
    found = [whole] if whole in named else sorted(several & named.keys())
    return ", ".join(named[name] for name in found) or whole


def chosen_path(path: Path | None) -> Path | None:
    """Return the settings file to use: `path` if given, else the file in OTPGUARD_CONFIG."""
    named = os.environ.get(PATH_VARIABLE, "")
    return path or (Path(named) if named else None)


def found_path() -> Path | None:
    """Return the settings file: OTPGUARD_CONFIG if set, else the first file of `PLACES`, or None.

    An empty OTPGUARD_CONFIG means that no file is used. Empty files are skipped, because somebody
    is probably about to write them. Raises ConfigError for a file that cannot be accessed, or that
    belongs to another user. Such a user could place a file in the current folder that sends our
    passwords to the user's own brokers.
    """
    if PATH_VARIABLE in os.environ:
        return chosen_path(None)
    trusted = {0, os.geteuid(), int(os.environ.get("SUDO_UID") or 0)}
    for place in PLACES:
        try:
            there = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigError(
                tr("{place}: {strerror}; --config names another file").format(
                    place=place, strerror=error.strerror
                )
            ) from None
        if not there.st_size:
            continue
        if there.st_uid not in trusted:
            raise ConfigError(
                tr("{place} belongs to somebody else: --config says that it is meant").format(
                    place=place.absolute()
                )
            )
        return place
    return None


def effective(settings: Settings, path: Path | None = None) -> Iterator[dict[str, Any]]:
    """Yield each setting as {name, value, source, reason}, in declaration order.

    Secrets are masked. `source` is a variable, the path of the file, or "default".
    """
    path = chosen_path(path)
    table = _table(path) if path is not None else {}
    for name, value, reason in _leaves(settings):
        section, _, key = name.rpartition(".")
        variable = ENVIRONMENT_PREFIX + name.replace(".", "_").upper()
        if variable in {key.upper() for key in os.environ}:
            source = variable
        elif key in (table.get(section, {}) if section else table):
            source = str(path)
        else:
            source = "default"
        yield {"name": name, "value": value, "source": source, "reason": reason}


def _leaves(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, SecretStr):
            yield prefix + name, MASK if value.get_secret_value() else "", field.description or ""
        elif isinstance(value, str):
            yield prefix + name, mask_url(value), field.description or ""
        else:
            yield prefix + name, value, field.description or ""


def _table(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def sentences(error: ValidationError) -> Iterator[str]:
    """Yield one line for each invalid setting: its name and what is expected, never its value."""
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in item["loc"]) or "settings"
        said = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            if name in REMOVED:
                yield f"{name}: {tr(REMOVED[name])}"
                continue
            told = tr("unknown setting")
            yield suggest(f"{name}: {told}", name, _names())
        elif item["type"] == "string_pattern_mismatch":
            name = ".".join(map(str, item["loc"][:2]))  # without the place in a table or list
            known = _names()[name]
            default = known.get_default(call_default_factory=True) or tr("none")
            yield tr("{name}: not of the form that is wanted ({what}); such as {default}").format(
                name=name, what=known.description, default=default
            )
        else:
            yield f"{name}: {translate_message(said)}"


@cache
def _names() -> dict[str, FieldInfo]:
    """Return all settings by dotted name, and all sections by name."""
    found: dict[str, FieldInfo] = {}
    for section, each in Settings.model_fields.items():
        inner = getattr(each.annotation, "model_fields", {})
        found[section] = each
        found |= {f"{section}.{name}": field for name, field in inner.items()}
    return found


def _warn_of_misspelt(environment: Iterable[str]) -> None:
    """Log a warning for unknown variables whose name is similar to a setting's variable.

    Other unknown variables with our prefix are ignored, because Kubernetes sets such variables.
    """
    known = {name.replace(".", "_").upper(): name for name in _names()}
    for variable in environment:
        word = variable.upper().removeprefix(ENVIRONMENT_PREFIX)
        section = word.partition("_")[0].lower()
        if word == variable.upper() or word in known or section in Settings.model_fields:
            continue
        told = suggest(variable, word, known, f"{ENVIRONMENT_PREFIX}{{}}")
        if told != variable:
            log.warning("%s", tr("unknown variable {told}").format(told=told))
