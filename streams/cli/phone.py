"""`otpguard phone`: the answer to a caller, while the caller is on the line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from streams import clock
from streams.cli.audited import looked
from streams.cli.cases import SinceOption, read_cases, warn
from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    ago_ms,
    recipient_of,
    settings_of,
    write_json,
)
from streams.errors import ConfigError, UnavailableError
from streams.language import tr
from streams.shown import shown

if TYPE_CHECKING:
    from streams.config import Settings
    from streams.operate.cases import Case
    from streams.wire import Override


def phone(
    number: Annotated[str, typer.Argument(help="Number in any form, or token.")],
    config: ConfigOption = None,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Say what to tell a caller: what happens, what is refused, what arrives, when it ends.

    In six lines, with the commands to paste. A number without a case is answered too. The case
    store answers where there is one that is fresh (`otpguard desk index`), else the topics. The
    audit says who asked.

    \b
    Examples:
      otpguard phone 13900000001
      otpguard phone +8613900000001 --since 7d --lang zh-Hans
    """
    from streams.operate.behind import events_behind  # noqa: PLC0415 - start-up time
    from streams.operate.cases import find  # noqa: PLC0415
    from streams.operate.phone import answer, lines  # noqa: PLC0415

    settings = settings_of(config)
    recipient = recipient_of(settings, number)
    now_ms = clock.now_ms()
    with looked(settings, "search", recipient):
        found = _remembered(settings, recipient, ago_ms(since))
        if found is None:
            every, words = read_cases(settings, since)
            cases, behind = find(every, recipient, recipient), events_behind(settings, now_ms)
        else:
            cases, words, behind = found
        told = answer(recipient, cases, words, now_ms, since)
        if as_json:
            write_json({"recipient": recipient, "events_behind": behind, **asdict(told)})
            return
        warn(words, now_ms)
        for line in lines(told, behind):
            typer.echo(shown(line))


def _remembered(
    settings: Settings, recipient: str, since_ms: int
) -> tuple[list[Case], list[Override], int | None] | None:
    """Return cases, words and how far workers are behind by the case store; None: ask the topics.

    None where there is no store that we may read, or none that is as fresh as the topics.
    """
    try:
        from streams.desk.store.opening import opened, there  # noqa: PLC0415 - an extra
        from streams.desk.store.store import deciding  # noqa: PLC0415
    except ImportError:
        return None
    if not there(settings):
        return None
    try:
        store = opened(settings)
        found, everyone = store.find(recipient), store.words_now()
        store.close()
    except (ConfigError, UnavailableError) as error:
        typer.echo(tr("the topics are read instead: {why}").format(why=error), err=True)
        return None
    if found.freshness.lag_ms > settings.desk.stale_s * 1000:
        why = tr("the case store is stale")
        typer.echo(tr("the topics are read instead: {why}").format(why=why), err=True)
        return None
    newest = found.newest
    cases = [newest.case] if newest is not None and newest.line.last_ms >= since_ms else []
    words = deciding((*found.words, *everyone))
    return cases, words, found.freshness.events_behind
