"""`otpguard signal`: informs banks that a number is flooded."""

from __future__ import annotations

from importlib.resources import files

import typer

from streams.cli.shared import SettingsOption, group, log_to_stderr
from streams.people.signal import signal_server

app = group("Inform banks that a number is flooded.")


@app.command()
def serve(settings: SettingsOption) -> None:
    r"""Answer banks over HTTPS whether a number is flooded, and since when.

    Every answer is audited first. If the index is too old, the answer is 503, never "no".

    \b
    Example:
      otpguard signal serve --config /etc/otpguard/otpguard.toml
    """
    log_to_stderr()
    signal_server.serve(settings)


@app.command()
def openapi() -> None:
    r"""Write the description of the interface (OpenAPI 3.0).

    \b
    Example:
      otpguard signal openapi > verification-flood-signal.yaml
    """
    typer.echo(files("streams.people.signal").joinpath("openapi.yaml").read_text("utf-8"), nl=False)
