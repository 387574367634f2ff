"""`otpguard phone`: the answer to a caller, while the caller is on the line."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from streams.cli.cases import SinceOption, read_cases, warn
from streams.cli.shared import ConfigOption, JsonOption, settings_of, write_json
from streams.errors import UsageError
from streams.language import tr
from streams.shown import shown


def phone(
    number: Annotated[str, typer.Argument(help="Number in any form, or token.")],
    config: ConfigOption = None,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Say what to tell a caller: what happens, what is refused, what arrives, when it ends.

    In six lines, with the commands to paste. A number without a case is answered too.

    \b
    Examples:
      otpguard phone 13900000001
      otpguard phone +8613900000001 --since 7d --lang zh-Hans
    """
    from streams.operate.behind import events_behind  # noqa: PLC0415 - start-up time
    from streams.operate.cases import find  # noqa: PLC0415
    from streams.operate.phone import answer, lines  # noqa: PLC0415

    settings = settings_of(config)
    recipient = settings.intake().numbers.canonical(number)
    if recipient is None:
        raise UsageError(tr("{named!r}: no recipient (a number or token)").format(named=number))
    cases, words = read_cases(settings, since)
    now_ms = time.time_ns() // 1_000_000
    told = answer(recipient, find(cases, recipient, recipient), words, now_ms, since)
    behind = events_behind(settings, now_ms)
    if as_json:
        write_json({"recipient": recipient, "events_behind": behind, **asdict(told)})
        return
    warn(words, now_ms)
    for line in lines(told, behind):
        typer.echo(shown(line))
