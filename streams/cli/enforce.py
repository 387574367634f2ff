"""`otpguard enforce`: adapters that make gateways enforce leases."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from streams import config as configs
from streams.cli.shared import (
    GatewayOption,
    SettingsOption,
    group,
    log_to_stderr,
    serving,
)
from streams.cluster import admin
from streams.common import UnavailableError, mask_url, tr
from streams.gateways.enforce import (
    adapter as adapters,
    gateway as gateway_errors,
    kannel as kannel_gateway,
    lease_clock,
    log as log_gateway,
    reconcile,
    redis as redis_gateway,
    webhook as webhook_gateway,
)
from streams.telemetry import metrics as telemetry

app = group("Make a gateway enforce the leases; one process for each gateway.")


@app.command()
def redis(settings: SettingsOption, *, gateway_id: GatewayOption = None) -> None:
    r"""Store leases as Redis keys, for gateways that look them up (deploy/gateways/jasmin).

    \b
    Examples:
      otpguard enforce redis --config /etc/otpguard/otpguard.toml
      OTPGUARD_REDIS_URL=rediss://redis:6380/0 \
        otpguard enforce redis --gateway-id jasmin-1
    """
    registry, _ = settings.registry()
    client = redis_gateway.connect(settings.redis)
    where = f"redis.url {mask_url(settings.redis.url)}"
    _run(
        settings,
        redis_gateway.RedisGateway(client, registry, settings.redis.prefix),
        gateway_id,
        where,
    )


@app.command()
def kannel(
    settings: SettingsOption,
    *,
    gateway_id: GatewayOption = None,
    accept_whole_recipient: Annotated[
        bool,
        typer.Option(
            "--accept-whole-recipient",
            help="Accept that Kannel refuses everything to a recipient under lease, a bank's "
            "codes too.",
        ),
    ] = False,
    clear: Annotated[
        bool, typer.Option("--clear", help="Empty the list, reload it and stop.")
    ] = False,
    clear_at_stop: Annotated[
        bool,
        typer.Option(
            "--clear-at-stop",
            help="Empty the list when asked to end; for a supervisor without --clear.",
        ),
    ] = False,
) -> None:
    r"""Enforce leases by Kannel's black list of recipients.

    Kannel cannot distinguish platforms. Under a lease nothing reaches the recipient, not even from
    a bank. You must accept this explicitly.

    \b
    Examples:
      otpguard enforce kannel --accept-whole-recipient
      otpguard enforce kannel --clear  (ExecStopPost=: no adapter, no leases)
    """
    if not (accept_whole_recipient or clear):
        raise typer.BadParameter(
            tr(
                "Kannel refuses a bank's code with the flood; accept this with "
                "--accept-whole-recipient"
            )
        )
    section = settings.kannel
    gateway = kannel_gateway.KannelGateway(
        section.list_file,
        section.list_port,
        section.admin_url,
        section.password.get_secret_value(),
        list_host=section.list_host,
        clear_at_close=clear_at_stop,
    )
    if clear:
        _clear(gateway)
        return
    _run(settings, gateway, gateway_id, f"kannel.admin_url {mask_url(section.admin_url)}")


def _clear(gateway: kannel_gateway.KannelGateway) -> None:
    try:
        gateway.clear()
    except gateway_errors.GatewayAwayError as error:
        raise UnavailableError(
            tr("kannel does not take the empty list: {error}").format(error=error)
        ) from None
    finally:
        gateway.close()


@app.command()
def webhook(settings: SettingsOption, *, gateway_id: GatewayOption = None) -> None:
    r"""Post signed orders to a gateway's own API.

    \b
    Example:
      OTPGUARD_WEBHOOK_URL=https://smsc/otpguard \
        OTPGUARD_WEBHOOK_SECRET_FILE=/run/secrets/hook \
        otpguard enforce webhook --gateway-id smsc-1
    """
    section = settings.webhook
    gateway = webhook_gateway.WebhookGateway(
        section.url,
        section.secret.get_secret_value().encode(),
        old_secret=section.old_secret.get_secret_value().encode(),
        parallel=section.parallel,
        ca_file=str(section.ca_file) if section.ca_file else None,
    )
    _run(settings, gateway, gateway_id, f"webhook.url {mask_url(section.url)}")


@app.command()
def log(
    settings: SettingsOption,
    *,
    gateway_id: GatewayOption = None,
    numbers: Annotated[
        bool,
        typer.Option(
            "--numbers", help="Log the recipients' numbers too. Consider who reads the log."
        ),
    ] = False,
) -> None:
    r"""Dry run: print a JSON line for each order that a gateway would get.

    \b
    Example:
      otpguard enforce log | jq .order
    """
    _run(settings, log_gateway.LogGateway(sys.stdout, numbers=numbers), gateway_id, "")


def _run(
    settings: configs.Settings, gateway: gateway_errors.Gateway, gateway_id: str | None, where: str
) -> None:
    """Run an adapter until SIGTERM or Ctrl-C; `where` is the setting with the gateway's address."""
    from streams.wire.desired_state import DesiredState  # noqa: PLC0415 - loads all of streams.wire

    log_to_stderr()
    name = gateway_id or settings.enforce.gateway_id
    if where:
        logging.getLogger(__name__).info("gateway %s is at %s", name, where)
    metrics = telemetry.Metrics("adapter")
    with admin.working(tr("cannot enforce")):
        adapter = adapters.Adapter(
            reconcile.Reconciler(gateway, DesiredState(settings.enforce.rails()), name),
            admin.client_arguments(settings.kafka),
            settings.topics,
            f"{settings.app_id}-enforce-{name}",
            metrics,
            lease_clock.LeaseClock(),
        )
        with serving(settings, metrics, adapter.unready) as stop:
            adapter.run(stop)
