"""The base class of all sections of the settings, and common checks of values."""

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from streams.common import tr

Seconds = Annotated[float, Field(gt=0, le=1e9)]
"""A positive time in seconds, at most 30 years. The limit keeps the time in milliseconds finite."""


def read_secret(section: Any, name: str) -> None:
    """Set the secret `name` to the first line of the file in the setting `<name>_file`, if set.

    Raises ValueError if the secret is also set directly, or if the file cannot be read or is empty.
    """
    path: Path | None = getattr(section, f"{name}_file")
    if path is None:
        return
    if getattr(section, name).get_secret_value():
        raise ValueError(tr("{name} and {name}_file exclude each other").format(name=name))
    try:
        line = path.read_text(encoding="utf-8-sig").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise ValueError(
            tr("{name}_file {path}: {strerror}").format(
                name=name, path=path, strerror=error.strerror
            )
        ) from None
    if not line and name != "password":  # systemd units set the file even if brokers need none
        raise ValueError(
            tr("{name}_file {path}: its first line is empty").format(name=name, path=path)
        )
    object.__setattr__(section, name, SecretStr(line))


def check_named(section: Any, name: str) -> None:
    """Raise ValueError if a setting is set and names no existing file."""
    path = getattr(section, name)
    if path is not None:
        check_file(path)


def check_file(path: Path) -> None:
    """Raise ValueError if `path` is not an existing file.

    An OSError, for example for a path that is too long, also means that there is no file.
    """
    try:
        there = path.is_file()
    except OSError:
        there = False
    if not there:
        raise ValueError(tr("no such file: {path}").format(path=path))


def check_url(section: Any, name: str) -> None:
    """Raise ValueError if the host or port of a URL cannot be parsed.

    Clients would fail later with an error message that could contain a part of the password.
    """
    try:
        _ = urlsplit(getattr(section, name)).port
    except ValueError:
        raise ValueError(
            tr(
                "{name}: host and port cannot be read; what is in front of an @ has to be "
                "percent-encoded, and belongs in username and password_file"
            ).format(name=name)
        ) from None


Secret = Annotated[SecretStr, read_secret]
"""A secret that may also be given as the first line of the file in the setting `<name>_file`."""

Url = Annotated[str, check_url]
ExistingFile = Annotated[Path | None, check_named]


class Section(BaseModel):
    """One section of the settings, which is one table of the TOML file. Unknown names are refused.

    The validator is built at its first use, because defaults are used without validation.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,
        allow_inf_nan=False,  # cannot be converted to integer milliseconds
    )

    @model_validator(mode="after")
    def _check_fields(self) -> Self:
        """Apply the functions in the annotations of fields, such as those of `Secret` and `Url`."""
        for name, field in type(self).model_fields.items():
            for check in filter(callable, field.metadata):
                check(self, name)
        return self
