"""A table of the settings file: what all of them have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from streams.language import tr

Seconds = Annotated[float, Field(gt=0, le=1e9)]
"""A time, of thirty years at most: the milliseconds of 1e308 are no integer."""


class Section(BaseModel):
    """A table of the TOML file: frozen, and closed to names it does not know.

    What checks it is built when there is something to check: defaults need none.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,
        allow_inf_nan=False,  # milliseconds of it are no integer
    )


def read_secret(section: Section, name: str) -> None:
    """Let the secret `name` be the first line of the file that `<name>_file` names, if any."""
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
    if not line and name != "password":  # units name a file of it for brokers that ask for none
        raise ValueError(
            tr("{name}_file {path}: its first line is empty").format(name=name, path=path)
        )
    object.__setattr__(section, name, SecretStr(line))


def check_file(path: Path | None) -> None:
    """Refuse a file that is not there; no system may have one of this name."""
    try:
        there = path is None or path.is_file()
    except OSError:
        there = False
    if not there:
        raise ValueError(tr("no such file: {path}").format(path=path))


def check_url(section: Section, name: str) -> None:
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
