"""`otpguard agent`: services that combine the findings of all partitions."""

from __future__ import annotations

from typing import Any

from streams import config as configs
from streams.cli.shared import SettingsOption, group, log_to_stderr, serving
from streams.cluster import admin
from streams.common import clock, tr
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
