"""`otpguard scenario`: generates an attack, or traffic that looks like one, as events."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from streams.cli.shared import write_list
from streams.common import tr
from streams.tools import scenarios

NameArgument = Annotated[
    str | None, typer.Argument(help="Which scenario; --list shows them.", show_default=False)
]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same events.")]
START_FORMATS = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]


def scenario(
    name: NameArgument = None,
    *,
    seed: SeedOption = 0,
    recipients: Annotated[
        int,
        typer.Option(
            min=1, help="How many recipients go through it at once, each by its own seed."
        ),
    ] = 1,
    first: Annotated[
        int, typer.Option(min=0, help="Index of the first recipient: 0 is +86 170 0000 0000.")
    ] = 0,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=START_FORMATS,
            help="Start time with its UTC offset. Default: 2026-03-02T11:33+0800.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=200,
            help="Platforms that the carrier knows of a recipient. Default: as many as people use.",
            show_default=False,
        ),
    ] = None,
    history: Annotated[
        bool, typer.Option(help="Begin with the messages that made those platforms known.")
    ] = True,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A parameter of the scenario.", show_default=False
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show all scenarios and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The list as JSON.")] = False,
) -> None:
    r"""Print a rehearsal: JSON lines of sms.delivery.v1 events, in order.

    Everything is synthetic: numbers, codes, texts. The same arguments give the same bytes.

    \b
    Examples:
      otpguard scenario --list
      otpguard scenario A1 --seed 3 | otpguard replay -
      otpguard scenario A4 --set hours=24 --set messages=96 > events.jsonl
      otpguard scenario B1 --recipients 1000 \
        --start 2026-03-02T11:33+0800 > new-phones.jsonl
    """
    if list_:
        _show_list(as_json=as_json)
        return
    if name is None:
        raise typer.BadParameter(tr("name a scenario, or ask for --list"))
    chosen = scenarios.SCENARIOS.get(name)
    if chosen is None:
        raise typer.BadParameter(
            tr("there is no scenario {name!r}; --list shows them").format(name=name)
        )
    start_ms = scenarios.DEFAULT_START_MS if start is None else round(start.timestamp() * 1000)
    parameters = _parameters(chosen, options or [])
    runs = (
        scenarios.generate(
            name,
            seed + n,
            recipient=first + n,
            start_ms=start_ms,
            memory=memory,
            history=history,
            **parameters,
        )
        for n in range(recipients)
    )
    encode, out = msgspec.json.encode, sys.stdout.buffer
    try:
        for event in next(runs) if recipients == 1 else scenarios.merge_streams(*runs):
            out.write(encode(event.value) + b"\n")
    except ValueError as error:  # a parameter beyond what the scenario can do
        raise typer.BadParameter(str(error)) from error
    out.flush()


def _parameters(chosen: scenarios.Scenario, options: list[str]) -> dict[str, Any]:
    """Return the values of `--set` as numbers, checked against the scenario's parameters."""
    parameters: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in chosen.parameters:
            known = ", ".join(chosen.parameters) or tr("none")
            raise typer.BadParameter(
                tr("{name} has no parameter {key!r}; it has: {known}").format(
                    name=chosen.name, key=key, known=known
                )
            )
        try:
            parameters[key] = float(value) if "." in value else int(value)
        except ValueError:
            raise typer.BadParameter(
                tr("{key} must be a number, not {value!r}").format(key=key, value=value)
            ) from None
    return parameters


def _show_list(*, as_json: bool) -> None:
    entries = [
        {
            "name": entry.name,
            "attack": entry.attack,
            "summary": entry.summary,
            "per_subscriber_day": entry.per_subscriber_day,
            "parameters": entry.parameters,
        }
        for entry in scenarios.SCENARIOS.values()
    ]
    rows = ((entry.name, tr(entry.summary)) for entry in scenarios.SCENARIOS.values())
    write_list(entries, ("name", "scenario"), rows, as_json=as_json)
