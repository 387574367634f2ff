"""`otpguard gate`: one question for each message, over HTTP beside the gateway."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams import config as configs
from streams.cli.shared import (
    ConfigOption,
    GatewayOption,
    JsonOption,
    file_of,
    group,
    log_to_stderr,
    write_json,
)
from streams.common import tr
from streams.gateways.gate import bench as load_test, gate_server

app = group("Answer a gateway's question about each message.")


@app.command()
def serve(
    config: ConfigOption = None,
    *,
    gateway_id: GatewayOption = None,
) -> None:
    r"""Serve one gateway: answer pass or refuse, and report each message to the input topic.

    If anything fails, the answer is pass. SIGHUP replaces the process without a gap, SIGTERM ends
    it.

    \b
    Examples:
      otpguard gate serve --config /etc/otpguard/otpguard.toml --gateway-id smsc-1
      OTPGUARD_GATE_SOCKET=/run/otpguard/gate.sock otpguard gate serve
    """
    log_to_stderr()
    path = file_of(config)
    settings = configs.load(path)
    settings.check_country()
    name = gateway_id or settings.enforce.gateway_id
    words = ["gate", "serve", "--gateway-id", name]
    if path is not None:
        words += ["--config", str(Path(path).absolute())]
    gate_server.serve(settings, name, [sys.executable, "-m", "streams", *words])


@app.command()
def bench(
    config: ConfigOption = None,
    *,
    rate: Annotated[float, typer.Option(min=1, help="Questions a second.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=0.1, max=3_600, help="Duration in seconds.")] = 10,
    connections: Annotated[
        int, typer.Option(min=1, max=512, help="Number of connections at a time.")
    ] = 4,
    recipient: Annotated[
        str, typer.Option(help="First of the reserved numbers that are asked about.")
    ] = "8617000990000",
    report: Annotated[bool, typer.Option("--report", help="Report only: ask nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Ask a running gate many questions, and measure how fast it answers.

    The questions contain no codes and use numbers that nobody has. They change no decision, but
    they are counted. A gateway would not wait for an answer later than gate.timeout_ms.

    \b
    Examples:
      otpguard gate bench --rate 3000 --seconds 30
      OTPGUARD_GATE_SOCKET=/run/otpguard/gate.sock otpguard gate bench --json
    """
    section = configs.load(file_of(config)).gate
    load_ = load_test.Load(
        rate, seconds, connections, recipient, "/v1/report" if report else "/v1/submit"
    )
    found = load_test.run(section, load_)
    if as_json:
        write_json(found.document())
        return
    says = tr(
        "{answered} answers, {rate} a second: half within {p50_ms} ms, 99 % within {p99_ms} ms, "
        "the slowest {max_ms} ms; {late} later than {timeout} ms, {failed} not answered"
    )
    typer.echo(says.format(timeout=section.timeout_ms, **found.document()))
    for why, n in sorted(found.whys.items()):
        typer.echo(f"  {why}: {n}")
