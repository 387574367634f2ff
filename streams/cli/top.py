"""`otpguard top`: floods, gateways and workers as they are now."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Annotated, Any, Final

import typer

from streams import config as configs
from streams.cases import live_floods
from streams.cli.audited import audit_look
from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    ago_ms,
    settings_of,
    write_json,
    write_table,
)
from streams.cluster import admin, at_work, follow
from streams.common import clock
from streams.common.errors import ConfigError, OtpguardError
from streams.common.language import moment, tr
from streams.people.desk import masks

WAIT_MS: Final = 500  # A record is shown at most so long after it came, plus what a frame takes.
FACTS_S: Final = 1.0
HOUR_MS: Final = 3_600_000


def top(
    config: ConfigOption = None,
    *,
    since: Annotated[
        str, typer.Option("--since", help="How far back floods may have begun, such as 6h.")
    ] = "6h",
    numbers: Annotated[
        bool,
        typer.Option("--numbers", help="Show whole numbers, which is noted in the audit."),
    ] = False,
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
      otpguard top --json | jq .throttled
    """
    settings = settings_of(config)
    with ExitStack() as stack:
        if numbers:
            _check_rights(settings)
            stack.enter_context(audit_look(settings, "view", detail="top"))
        feed = stack.enter_context(LiveFeed(settings, ago_ms(since), numbers=numbers))
        if not (once or as_json):
            from streams.cli import top_screen  # noqa: PLC0415 - an extra, and heavy

            top_screen.TopScreen(feed).run()
            return
        while feed.is_behind():
            feed.step()
        frame = feed.frame()
    if as_json:
        write_json(frame)
        return
    for line in frame.lines():
        typer.echo(line)
    write_table([tr(name) for name in COLUMNS], map(cells, frame.rows), drop=(6, 4, 5))


COLUMNS: Final = ("recipient", "state", "messages", "platforms", "refused", "pace", "last")


def cells(row: live_floods.Row) -> tuple[str, ...]:
    """Return a flood as cells of a table, by `COLUMNS`."""
    case = row.case
    at = moment(case.last_ms)[11:19]
    counts = map(str, (case.messages, case.platforms, case.refused))
    return (case.recipient, tr(case.state), *counts, live_floods.sparkline(row.pace), at)


def _check_rights(settings: configs.Settings) -> None:
    """Raise ConfigError if this user may not write the audit."""
    audit = settings.topics.audit
    with admin.Cluster(settings.kafka) as cluster:
        if "WRITE" not in cluster.operations([audit]).get(audit, ()):
            raise ConfigError(
                tr("numbers are shown to who may write {audit}: role support").format(audit=audit)
            )


class LiveFeed(ExitStack):
    """The topics and brokers, read into one picture. `step` and `explain` may run in two threads.

    It reads, and writes nothing: no group, no commit.
    """

    def __init__(self, settings: configs.Settings, since_ms: int, *, numbers: bool) -> None:
        super().__init__()
        self._settings = settings
        self._numbers = numbers
        self._floods = live_floods.LiveFloods()
        self._lock = threading.Lock()
        self._places, self._names, self.is_behind = self.enter_context(
            follow.following(settings, live_floods.TOPICS, since_ms, whole=("override", "everyone"))
        )
        self._cluster = self.enter_context(admin.Cluster(settings.kafka))
        self._facts = live_floods.ClusterFacts()
        self._asked = 0.0

    def step(self) -> None:
        """Take the records that arrive within half a second."""
        polled = self._places.follow(WAIT_MS, follow.TAKEN_MAX)
        with self._lock:
            for place, batch in polled.items():
                for record in batch:
                    self._floods.take(self._names[place.topic], record.key, record.value)

    def frame(self, sort: str = "worst", wanted: str = "") -> live_floods.Frame:
        """Return the present picture."""
        if time.monotonic() >= self._asked + FACTS_S:
            self._facts = _ask(self._cluster, self._settings)
            self._asked = time.monotonic()
        with self._lock:
            return self._floods.frame(
                clock.now_ms(), self._settings.mode, self._facts,
                shown=str if self._numbers else masks.mask_recipient, sort=sort, wanted=wanted,
            )  # fmt: skip

    def explain(self, episode_id: str) -> list[str]:
        """Return the explanation of a flood; with whole numbers the look is audited."""
        with self._lock:
            if (flood := self._floods.floods.get(episode_id)) is None:
                return [tr("this flood is over")]
            lines = self._floods.explain(flood, clock.now_ms())
        if self._numbers:
            with audit_look(self._settings, "search", detail=episode_id):
                return lines
        return [masks.mask_mentions(line, flood.case.last.recipient) for line in lines]


def _ask(cluster: admin.Cluster, settings: configs.Settings) -> live_floods.ClusterFacts:
    group, topics, since_ms = settings.app_id, settings.topics, clock.now_ms() - HOUR_MS
    answers: list[Any] = []
    for ask in (
        lambda: cluster.lag(group, topics.input),
        lambda: cluster.members(group, topics.input),
        lambda: at_work.read_signs(cluster, group),
        lambda: cluster.count_since(topics.dead_letters, since_ms),
    ):
        try:
            answers.append(ask())
        except OtpguardError:  # This user has no right to see it.
            answers.append(None)
    return live_floods.ClusterFacts(*answers)
