"""`otpguard top`: floods, gateways and workers as they are now."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from streams.cli import top_feed as feeds
from streams.cli.audited import audit_look, require_numbers
from streams.cli.shared import (
    JsonOption,
    NumbersOption,
    SettingsOption,
    ago_ms,
    fold_line,
    write_json,
    write_table,
)
from streams.common import tr


def top(
    settings: SettingsOption,
    *,
    since: Annotated[
        str, typer.Option("--since", help="How far back floods may have begun, such as 6h.")
    ] = "6h",
    numbers: NumbersOption = False,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Watch floods, gateways, workers and lag, as they change.

    Keys: s sorts, / filters, Enter explains a flood, Escape goes back, q ends. Numbers are masked;
    only who may write the audit sees them whole. NO_COLOR=1 turns colours off.

    \b
    Examples:
      otpguard top
      otpguard top --once
      otpguard top --json | jq .refused
    """
    with ExitStack() as stack:
        if numbers:
            require_numbers(settings)
            stack.enter_context(audit_look(settings, "view", detail="top"))
        feed = stack.enter_context(feeds.TopFeed(settings, ago_ms(since), numbers=numbers))
        if not (once or as_json):
            from streams.cli import top_screen  # noqa: PLC0415 - an extra, and heavy

            error = top_screen.TopScreen(feed).run()
            if error is not None:
                raise error
            return
        while feed.is_behind():
            feed.step()
        frame = feed.frame()
    if as_json:
        write_json(frame)
        return
    for line in frame.lines():
        typer.echo(fold_line(line))
    write_table([tr(name) for name in feeds.COLUMNS], map(feeds.cells, frame.rows), drop=(6, 4, 5))
