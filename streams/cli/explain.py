"""`otpguard explain`: explains a throttle from the topics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams import config as configs
from streams.cli import audited, cases
from streams.cli.cases import NamedArgument, SinceOption
from streams.cli.shared import (
    JsonOption,
    NumbersOption,
    SettingsOption,
    save_page,
)
from streams.common import clock


def explain(
    named: NamedArgument,
    settings: SettingsOption,
    *,
    since: SinceOption = "24h",
    page: Annotated[
        Path | None,
        typer.Option("--html", help="Write the case as a page, with the flood by time."),
    ] = None,
    numbers: NumbersOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Explain a throttle: platforms, times, scores, the rule, and why no other rule.

    An action is explained as it was when the lease was made. For a recipient the most severe open
    case is explained, otherwise the newest. `otpguard replay` gives the reason of each lease that
    it finds in a file.

    With --html the case is a page in one file, as at the desk. Only its owner may read the file.
    Numbers in it are masked; only who may write the audit sees them whole.

    \b
    Examples:
      otpguard explain +8613900000001
      otpguard explain 1:sms.delivery.v1:7:123456 --since 7d
      otpguard explain +8613900000001 --html case.html
    """
    if page is None:
        cases.show_cases(settings, named, since, as_json=as_json, most=1)
    else:
        _write_page(settings, named, since, page, numbers=numbers)


def _write_page(
    settings: configs.Settings, named: str, since: str, page: Path, *, numbers: bool
) -> None:
    from streams.people.desk import call_view, masks, render  # noqa: PLC0415 - an extra, and heavy

    if numbers:
        audited.require_numbers(settings)
    with cases.finding(settings, named, since, "incident") as (model, found):
        now_ms, file = clock.now_ms(), model.case(found[0].episode_id)
        case = call_view.view(file, now_ms)
        case["whole"] = masks.whole(file.line.recipient) if numbers else case["number"]
        save_page(page, render.page_file("case_file", now_ms, case=case))
