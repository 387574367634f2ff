"""Read the data files that ship with this package. The package reads no other files."""

from importlib import resources


def read_data(name: str) -> str:
    """Return the text of `data/<name>.toml`. It never changes within one program version."""
    return resources.files("detectors.recognise").joinpath(f"data/{name}.toml").read_text("utf-8")


def shipped_octets(name: str) -> bytes:
    """Return the bytes of `data/<name>`."""
    return resources.files("detectors.recognise").joinpath(f"data/{name}").read_bytes()
