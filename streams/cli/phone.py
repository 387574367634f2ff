"""`otpguard phone`: looks a caller's number up during the call."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from streams import config as configs
from streams.cases import call_answer
from streams.cases.store import opening, store as stores
from streams.cli.audited import audit_look
from streams.cli.cases import SinceOption, read_topics, switch_of, warn
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    ago_ms,
    recipient_of,
    write_lines,
)
from streams.cluster import lag
from streams.common import ConfigError, UnavailableError, clock, tr


def phone(
    number: Annotated[str, typer.Argument(help="Number in any format, or token.")],
    settings: SettingsOption,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Look a caller's number up: what happens, what is refused, when it ends, what to tell.

    Answers in six lines, with commands to copy. A number without a case gets an answer too. The
    answer comes from the case store if it is up to date (`otpguard desk index`), otherwise from the
    topics. The audit records who asked.

    \b
    Examples:
      otpguard phone 13900000001
      otpguard phone +8613900000001 --since 7d --lang zh-Hans
    """
    recipient = recipient_of(settings, number)
    now_ms = clock.now_ms()
    with audit_look(settings, "search", recipient):
        store = _fresh_store(settings)
        with closing(store or read_topics(settings, since)) as model:
            found, switched = model.find(recipient), switch_of(model)
        file, behind = found.newest, found.freshness.events_behind
        if store is None:
            behind = lag.events_behind(settings, now_ms)
        elif file is not None and file.line.last_ms < ago_ms(since):
            file = None
        told = call_answer.answer(recipient, file, found.words, now_ms, since)
        if not as_json:
            warn(switched)
        document = {"recipient": recipient, "events_behind": behind, **asdict(told)}
        write_lines(document, call_answer.lines(told, behind), as_json=as_json)


def _fresh_store(settings: configs.Settings) -> stores.ReadModel | None:
    """Return the case store, or None if it is missing, unreadable or stale."""
    try:
        if not opening.there(settings):
            return None
        store = opening.open_store(settings)
        if store.freshness().lag_ms <= settings.desk.stale_s * 1000:
            return store
        why: object = tr("the case store is stale")
    except ModuleNotFoundError:  # of an extra
        return None
    except (ConfigError, UnavailableError) as error:
        why = error
    typer.echo(tr("the topics are read instead: {why}").format(why=why), err=True)
    return None
