"""`otpguard phone`: the answer to a caller, while the caller is on the line."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.cases import SinceOption, read_cases, warn
from streams.cli.shared import ConfigOption, JsonOption, settings_of, write_json
from streams.errors import ConfigError, UnavailableError, UsageError
from streams.language import tr
from streams.shown import shown

if TYPE_CHECKING:
    from streams.config import Settings


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
    from streams.operate.cases import find  # noqa: PLC0415 - start-up time
    from streams.operate.phone import answer, lines  # noqa: PLC0415

    settings = settings_of(config)
    recipient = settings.intake().numbers.canonical(number)
    if recipient is None:
        raise UsageError(tr("{named!r}: no recipient (a number or token)").format(named=number))
    cases, words = read_cases(settings, since)
    now_ms = time.time_ns() // 1_000_000
    told = answer(recipient, find(cases, recipient, recipient), words, now_ms, since)
    behind = _behind(settings, now_ms)
    if as_json:
        write_json({"recipient": recipient, "events_behind": behind, **asdict(told)})
        return
    warn(words, now_ms)
    for line in lines(told, behind):
        typer.echo(shown(line))


def _behind(settings: Settings, now_ms: int) -> int | None:
    """Events older than a healthy worker's last checkpoint that none has; None: not to be seen."""
    from streams.cluster.admin import Cluster  # noqa: PLC0415 - start-up time
    from streams.operate.doctor import BEHIND_S  # noqa: PLC0415

    before_ms = now_ms - int(BEHIND_S * 1000)
    try:
        with Cluster(settings.kafka) as cluster:
            return cluster.behind(settings.app_id, settings.topics.input, before_ms)
    except (ConfigError, UnavailableError):
        return None
