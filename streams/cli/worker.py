"""`otpguard worker`: the detector itself."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.shared import SettingsOption
from streams.common.logs import to_stderr
from streams.engine.worker import app


def worker(
    settings: SettingsOption,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for brokers and topics instead of giving up.")
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Discard the checkpoints of the first assignment, "
            "once, and rebuild the state from the input.",
        ),
    ] = False,
) -> None:
    r"""Detect floods in a Kafka topic and publish leases, until SIGTERM or Ctrl-C.

    The default is shadow mode: leases are published, but not enforced.

    \b
    Examples:
      otpguard worker
      otpguard worker --wait --config /etc/otpguard/otpguard.toml
      OTPGUARD_WORKER_INSTANCE=slot1 otpguard worker  (restarts move no partition)
    """
    settings.check_country()

    to_stderr()
    raise typer.Exit(app.run_worker(settings, wait=wait, rebuild=rebuild))
