"""`otpguard canary`: tests with a small flood whether a flood would be stopped."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from streams.cli.shared import (
    ConfigOption,
    log_to_stderr,
    progress,
    serving,
    settings_of,
)
from streams.common.errors import Exit
from streams.common.language import tr


def canary(
    config: ConfigOption = None,
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
    settings = settings_of(config)
    # Here, because Kafka's client takes long to import and `--help` needs none.
    from streams.cluster.admin import client_arguments, working  # noqa: PLC0415
    from streams.telemetry.metrics import Metrics  # noqa: PLC0415
    from streams.tools.operate.canary_flood import GOOD, Watch, outcome_of, spare_number  # noqa: PLC0415

    log_to_stderr()
    metrics = Metrics("canary")
    clients = client_arguments(settings.kafka)
    with (
        working(tr("no flood")),
        progress(
            tr("seconds since the flood"), int(settings.canary.deadline_s), quiet=not once
        ) as show,
        closing(Watch(settings.canary, clients, settings.topics, metrics, show)) as watch,
    ):
        if once:
            number = spare_number(settings.canary)
            try:
                outcome = watch.flood(number, acknowledged=not without_adapter)
            except KeyboardInterrupt:
                run, told = watch.latest, tr("interrupted before the flood")
                if run is not None:
                    told = tr("interrupted after {n} s: the flood was {outcome} until then").format(
                        n=run.waited_s,
                        outcome=outcome_of(run, acknowledged=not without_adapter),
                    )
                typer.echo(told, err=True)
                raise typer.Exit(Exit.INTERRUPTED) from None
            raise typer.Exit(Exit.DONE if outcome in GOOD else Exit.TRY_AGAIN)
        with serving(settings, metrics) as stop:
            watch.run(stop, acknowledged=not without_adapter)
