"""Reads topics and brokers into the picture of `otpguard top`."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import Any, Final

from streams import config as configs
from streams.cases import live_floods, outcome, standing
from streams.cases.store import index_writer, log_reader, opening, removal
from streams.cli import cases
from streams.cli.audited import audit_look
from streams.cluster import admin, at_work, lag
from streams.common import ConfigError, UnavailableError, UsageError, clock, moment, tr
from streams.people.desk import masks

STEP_S: Final = 0.7
"""Time from one frame to the next, in which records gather. With a fetch's wait and the drawing of
the frame, a flood is shown within a second."""
FETCH: Final = {"fetch_min_bytes": 1 << 20, "fetch_wait_max_ms": 100}
"""A broker answers a fetch when it has a megabyte, or after this time."""
TAKEN_MAX: Final = 5_000  # Records of one step: about a fifth of a second of work.
FACTS_S: Final = 2.0  # The brokers are asked again after so long.
FORGET_S: Final = 3_600.0  # Floods that are over are deleted as often.
ROWS_MAX: Final = 30  # Floods in the list. A campaign has more, and its own command.
COLUMNS: Final = ("recipient", "state", "messages", "platforms", "refused", "pace", "last")


def cells(row: live_floods.FloodRow) -> tuple[str, ...]:
    """Return a flood as cells of a table, by `COLUMNS`."""
    case = row.case
    at = moment(case.last_ms)[11:19]
    counts = map(str, (case.messages, case.platforms, case.refused))
    return (case.recipient, tr(case.state), *counts, live_floods.sparkline(row.pace), at)


class TopFeed(ExitStack):
    """The topics and brokers, read into one picture. `step` and `explain` may run in two threads.

    It reads, and writes nothing: no group, no commit.
    """

    def __init__(self, settings: configs.Settings, since_ms: int, *, numbers: bool) -> None:
        super().__init__()
        self._settings = settings
        self._numbers = numbers
        self._lock = threading.Lock()
        self._sources = {
            getattr(settings.topics, name): index_writer.SOURCES[name]
            for name in opening.CASE_TOPICS
        }
        self._cluster = self.enter_context(admin.Cluster(settings.kafka))
        self._open = self.enter_context(ExitStack())  # The picture, and what reads into it.
        self._asked = self._due = 0.0
        self._unanswered_ms = 0
        self._age_ms = clock.now_ms() - since_ms
        self._start()

    def _start(self) -> None:
        """Begin to read the topics into an empty picture.

        A topic that is missing is left out, unless there is none at all.
        """
        self._open.close()
        self._model = self._open.enter_context(
            closing(opening.of_records((), params=self._settings.protection()))
        )
        self._writer = index_writer.Writer(self._model.index)
        self._unreadable, self._forgot = 0, time.monotonic()
        since_ms = clock.now_ms() - self._age_ms
        starts: dict[Any, int | None] = {}
        with admin.working(tr("cannot read the topics of cases")):
            reader = log_reader.LogReader(self._settings.kafka, **FETCH)
            self._reader = self._open.enter_context(closing(reader))
            for topic, source in self._sources.items():
                with suppress(ConfigError):
                    places = reader.partitions([topic])
                    starts |= reader.first_since(places, 0 if source == "override" else since_ms)
            if not starts:
                raise admin.no_topic(self._settings.topics.episode)
            reader.start(starts)
            ends = reader.ends(list(starts))
        self._ids = reader.ids(self._sources)
        # The end of each partition that has records since then.
        self._left = {each: end for each, end in ends.items() if end > (starts[each] or 0)}

    def is_behind(self) -> bool:
        """Return true until the records are read that were there at the start."""
        return bool(self._left)

    def step(self) -> None:
        """Take the records that arrive until the next frame is due."""
        if not self._left:
            time.sleep(max(0.0, self._due - time.monotonic()))
        self._due = time.monotonic() + STEP_S
        with admin.working(tr("cannot read the topics of cases")):
            polled = self._reader.poll(TAKEN_MAX)
        batch = [
            log_reader.log_record(self._sources[place.topic], each)
            for place, some in polled.records.items()
            for each in some
        ]
        last = {place: some[-1].offset() + 1 for place, some in polled.records.items()}
        for place, at in (last | polled.ends).items():
            if at >= self._left.get(place, 0):
                self._left.pop(place, None)
        with self._lock:
            self._unreadable += self._writer.take(batch, ())
            if time.monotonic() >= self._forgot + FORGET_S:
                self._forgot, limit_ms = time.monotonic(), clock.now_ms() - self._age_ms
                removal.forget_cases(self._model, limit_ms, limit_ms)

    def _ask_brokers(self, now_ms: int) -> None:
        """Ask the brokers for facts. Begin anew if a topic was created, deleted or has grown.

        Floods of a topic that is gone would be shown for ever, and the first records of the new one
        be passed over.
        """
        try:
            topics = self._cluster.names() & self._sources.keys()
        except UnavailableError:
            self._facts, self._unanswered_ms = lag.ClusterFacts(), self._unanswered_ms or now_ms
        else:
            self._facts = lag.cluster_facts(self._cluster, self._settings, now_ms)
            self._unanswered_ms = 0
            anew = topics != self._ids.keys() or self._reader.ids(topics) != self._ids
            if anew or self._reader.has_grown():
                with self._lock:
                    self._start()
        self._gateways = at_work.sort_gateways(self._facts.signs or {}, now_ms)
        self._asked = time.monotonic()

    def frame(self, sort: str = "worst", wanted: str = "") -> live_floods.Frame:
        """Return the present picture.

        `wanted`: only floods that have this text in the shown number, the rule or the level.
        """
        now_ms, mode = clock.now_ms(), self._settings.mode
        if time.monotonic() >= self._asked + FACTS_S:
            self._ask_brokers(now_ms)
        with self._lock:
            counts = self._model.count_floods()
            switch = cases.switch_of(self._model)
            found = self._model.floods(
                sort,
                lambda row: wanted in f"{self._show(row.recipient)} {row.rule} {row.level}",
                limit=ROWS_MAX,
            )
            some = [each.episode_id for each in found]
            lines = {each.episode_id: each for each in self._model.find_many(some)}
            paces = self._model.paces(some, now_ms - live_floods.PACE_MS)
        return live_floods.Frame(
            now_ms,
            tr("{mode} (kill switch; end: otpguard mode normal)").format(mode=switch.mode)
            if switch
            else tr(mode),
            sum(counts.values()),
            counts[outcome.FloodOutcome.REFUSED],
            counts[outcome.FloodOutcome.OBSERVED],
            [
                live_floods.FloodRow(
                    replace(lines[each], recipient=self._show(lines[each].recipient)),
                    live_floods.pace(paces[each]),
                )
                for each in some
            ],
            *self._gateways,
            self._facts,
            self._unreadable,
            self.is_behind(),
            self._unanswered_ms,
        )

    def explain(self, episode_id: str) -> list[str]:
        """Return the explanation of a flood; with whole numbers the look is audited."""
        try:
            with self._lock:
                file = self._model.case(episode_id)
        except UsageError:
            return [tr("this flood is over")]
        lines = [cases.standing_line(file), *standing.explanation(file.case, file.case.last)]
        if self._numbers:
            with audit_look(self._settings, "search", detail=episode_id):
                return lines
        return [masks.mask_mentions(each, file.line.recipient) for each in lines]

    def _show(self, recipient: str) -> str:
        return recipient if self._numbers else masks.mask_recipient(recipient)
