"""`otpguard agent`: services that combine the findings of all partitions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streams import config as configs
from streams.cli.shared import SettingsOption, group, log_to_stderr, seconds, serving
from streams.cluster import admin
from streams.common import ConfigError, clock, tr
from streams.network import campaign_agent, list_agent, platform_agent
from streams.telemetry import metrics as telemetry

app = group("Report campaigns and platforms across all partitions.")


@app.callback()
def agent() -> None:
    """Report campaigns and platforms across all partitions."""


@app.command()
def campaigns(settings: SettingsOption) -> None:
    r"""Follow the cases, and publish which floods are one campaign.

    Of several processes one works, and another takes over when it ends. It saves no state: at its
    start it reads the cases of the last days again.

    \b
    Example:
      otpguard agent campaigns --config /etc/otpguard/otpguard.toml
    """
    _run(settings, "campaigns", campaign_agent.CampaignAgent)


@app.command()
def platforms(settings: SettingsOption) -> None:
    r"""Add up the workers' counts of each platform, and publish a week's figures, day by day.

    Of several processes one works, and another takes over when it ends. Workers publish their
    counts every half hour. If `detect.hot` is network, it also makes the list of platforms that
    floods abuse, and appends it to the input for the workers.

    \b
    Example:
      otpguard agent platforms --config /etc/otpguard/otpguard.toml
    """

    def make_agent(
        clients: dict[str, Any], topics: configs.Topics, *, metrics: telemetry.Metrics, **rest: Any
    ) -> platform_agent.PlatformAgent:
        keys = settings.list_keys()
        lists = list_agent.ListWriter(clients, topics.input, keys[0], metrics) if keys else None
        return platform_agent.PlatformAgent(clients, topics, metrics=metrics, lists=lists, **rest)

    _run(settings, "platforms", make_agent)


@app.command()
def memory(
    settings: SettingsOption,
    every: Annotated[str, typer.Option(help="Time between two looks at the other site.")] = "5m",
    rate: Annotated[
        float, typer.Option(min=1, help="Recipients per second; all workers share them.")
    ] = 2000,
    folder: Annotated[
        Path | None,
        typer.Option(
            envvar="STATE_DIRECTORY",
            help="Folder that remembers what was published, so that a restart goes on there.",
            show_default=False,
            file_okay=False,
            exists=True,
            writable=True,
        ),
    ] = None,
) -> None:
    r"""Bring what another site knows about subscribers to the input of this one.

    Runs at the standby site, and only reads the changelog of the cluster in [primary]. Each record
    is signed with the key in detect.memory_key_file, which the workers of this site need, too.

    \b
    Example:
      otpguard agent memory --config /etc/otpguard/otpguard.toml
    """
    from streams.tools.operate import memory_agent  # noqa: PLC0415 - numpy

    if not settings.primary.bootstrap or not settings.memory_keys():
        raise ConfigError(tr("the memory agent needs primary.bootstrap and detect.memory_key_file"))
    log_to_stderr()
    metrics = telemetry.Metrics("memory")
    follower = memory_agent.MemoryAgent(settings, metrics, clock.now_ms, rate, folder)
    with serving(settings, metrics) as stop:
        follower.run(stop, seconds(every))


def _run(settings: configs.Settings, role: telemetry.Role, made: Any) -> None:
    log_to_stderr()
    metrics = telemetry.Metrics(role)
    with admin.working(tr("no picture of all partitions")):
        agent = made(
            admin.client_arguments(settings.kafka),
            settings.topics,
            group=f"{settings.app_id}-agents-{role}",
            metrics=metrics,
            clock_ms=clock.now_ms,
        )
        joining = "joining the group"
        with serving(settings, metrics, lambda: "" if agent.ready.is_set() else joining) as stop:
            agent.run(stop)
