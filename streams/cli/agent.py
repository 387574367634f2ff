"""`otpguard agent`: services that combine the findings of all partitions."""

from __future__ import annotations

from typing import Any

from streams.cli.shared import ConfigOption, group, log_to_stderr, serving, settings_of
from streams.cluster.admin import client_arguments, working
from streams.common import clock
from streams.common.language import tr
from streams.config import Settings
from streams.network.campaign_agent import CampaignAgent
from streams.network.list_agent import ListWriter
from streams.network.platform_agent import PlatformAgent
from streams.telemetry.metrics import Metrics, Role

app = group("Report campaigns and platforms across all partitions.")


@app.callback()
def agent() -> None:
    """Report campaigns and platforms across all partitions."""


@app.command()
def campaigns(config: ConfigOption = None) -> None:
    r"""Follow the cases, and publish which floods are one campaign.

    Of several processes one works, and another takes over when it ends. It saves no state: at its
    start it reads the cases of the last days again.

    \b
    Example:
      otpguard agent campaigns --config /etc/otpguard/otpguard.toml
    """

    def make_agent(settings: Settings, clients: dict[str, Any], **rest: Any) -> CampaignAgent:
        return CampaignAgent(clients, settings.topics, **rest)

    _run(config, "campaigns", make_agent)


@app.command()
def platforms(config: ConfigOption = None) -> None:
    r"""Add up the workers' counts of each platform, and publish a week's figures, day by day.

    Of several processes one works, and another takes over when it ends. Workers publish their
    counts every half hour. If `detect.hot` is network, it also makes the list of platforms that
    floods abuse, and appends it to the input for the workers.

    \b
    Example:
      otpguard agent platforms --config /etc/otpguard/otpguard.toml
    """

    def make_agent(
        settings: Settings, clients: dict[str, Any], metrics: Metrics, **rest: Any
    ) -> PlatformAgent:
        keys = settings.list_keys()
        topic = settings.topics.input
        lists = ListWriter(clients, topic, keys[0], metrics) if keys else None
        return PlatformAgent(clients, settings.topics, metrics=metrics, lists=lists, **rest)

    _run(config, "platforms", make_agent)


def _run(config: ConfigOption, role: Role, made: Any) -> None:
    # Here, because Kafka's client takes long to import and `--help` needs none.

    log_to_stderr()
    settings = settings_of(config)
    metrics = Metrics(role)
    with working(tr("no picture of all partitions")):
        agent = made(
            settings,
            client_arguments(settings.kafka),
            group=f"{settings.app_id}-agents-{role}",
            metrics=metrics,
            clock_ms=clock.now_ms,
        )
        joining = "joining the group"
        with serving(settings, metrics, lambda: "" if agent.ready.is_set() else joining) as stop:
            agent.run(stop)
