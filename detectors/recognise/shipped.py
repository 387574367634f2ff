"""The one read of this package: files that ship inside it."""

from __future__ import annotations

from importlib import resources


def shipped(name: str) -> str:
    """The text of `data/<name>.toml`. Package data: the same for every run of one version."""
    return resources.files("detectors.recognise").joinpath(f"data/{name}.toml").read_text("utf-8")


def shipped_octets(name: str) -> bytes:
    """The content of `data/<name>`, as octets."""
    return resources.files("detectors.recognise").joinpath(f"data/{name}").read_bytes()
