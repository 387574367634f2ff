"""`otpguard canary`: tests with a small flood whether a flood would be stopped."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from streams.cli.shared import (
    SettingsOption,
    log_to_stderr,
    progress,
    serving,
)
from streams.cluster import admin
from streams.common import Exit, tr
from streams.telemetry import metrics as telemetry
from streams.tools.operate import canary_flood


def canary(
    settings: SettingsOption,
    *,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Make one flood now; exits with 0 if it was throttled as expected, else with 75.",
        ),
    ] = False,
    without_adapter: Annotated[
        bool,
        typer.Option(
            "--without-adapter",
            help="Do not wait for an acknowledgement; use this while no adapter runs.",
        ),
    ] = False,
) -> None:
    r"""Flood a reserved number every few minutes, and measure how long its throttle takes.

    The messages go to the input topic only: no phone gets one. Reserve the numbers of [canary].

    \b
    Examples:
      otpguard canary --config /etc/otpguard/otpguard.toml
      otpguard canary --once --without-adapter
    """
    log_to_stderr()
    metrics = telemetry.Metrics("canary")
    clients = admin.client_arguments(settings.kafka)
    with (
        admin.working(tr("no flood")),
        progress(
            tr("seconds since the flood"), int(settings.canary.deadline_s), quiet=not once
        ) as show,
        closing(
            canary_flood.Watch(settings.canary, clients, settings.topics, metrics, show)
        ) as watch,
    ):
        if once:
            number = canary_flood.spare_number(settings.canary)
            try:
                outcome = watch.flood(number, acknowledged=not without_adapter)
            except KeyboardInterrupt:
                run, told = watch.latest, tr("interrupted before the flood")
                if run is not None:
                    told = tr("interrupted after {n} s: the flood was {outcome} until then").format(
                        n=run.waited_s,
                        outcome=canary_flood.outcome_of(run, acknowledged=not without_adapter),
                    )
                typer.echo(told, err=True)
                raise typer.Exit(Exit.INTERRUPTED) from None
            raise typer.Exit(Exit.DONE if outcome in canary_flood.GOOD else Exit.TRY_AGAIN)
        with serving(settings, metrics) as stop:
            watch.run(stop, acknowledged=not without_adapter)
