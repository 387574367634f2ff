"""Updates a recipient's episode (the record of one flood) for each code that was judged.

Once an episode is at THROTTLE, its messages are also listed in incident records.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from detectors.episodes.episode import advance
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.incident_log import Rests, begin, note
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import Batch
from detectors.model.incidents import Listed
from detectors.model.records import Cause, Level
from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import Finding, JudgeParams
from detectors.suspects.suspect import Suspect

Told: TypeAlias = tuple[int, int, int, bool, bool, ClockClass]
"""Facts about a judged event: its position in the batch, platform, trust, whether it is
novel, whether a lease refuses it (or would, in shadow), and the clock class of its stamp. It is a
plain tuple for speed: a campaign creates one for most of its events."""


@dataclass(slots=True, eq=False, repr=False)
class Recorder:
    """Updates the episodes of suspects, and the incident records of those at THROTTLE."""

    _params: EpisodeParams
    _rules: JudgeParams
    _book: EpisodeLog
    _batch: Batch

    def advance(
        self, suspect: Suspect, cause: Cause, heard: Told, finding: Finding, flood: int | None
    ) -> None:
        """Call `detectors.episodes.episode.advance`, and update the incident around it."""
        params, book = self._params, self._book
        episode = suspect.episode
        throttled = episode is not None and episode.level is Level.THROTTLE
        if episode is not None and throttled and params.incidents:  # before the lease is renewed
            make = partial(self._message, suspect, cause, heard)
            note(params, book.incidents, suspect, episode, cause, make, refused=heard[4])
        advance(params, self._rules, book, suspect, cause, finding=finding, flood=flood)
        episode = suspect.episode
        if throttled or episode is None or episode.level is not Level.THROTTLE:
            return
        if params.incidents:
            told = book.records[-1]  # the record that `advance` has just created
            version = book.hot.version if book.hot.platforms else 0
            message = self._message(suspect, cause, heard)
            rests = Rests(told, heard[-1], version)
            begin(params, book.incidents, suspect, episode, cause, message, rests)

    def _message(self, suspect: Suspect, cause: Cause, heard: Told) -> Listed:
        i, platform, trust, novel, refused, _ = heard
        _, _, offset, at_ms = cause
        batch, gateway, sender = self._batch, self._batch.gateway[i], self._batch.sender[i]
        if trust or not novel:
            return offset, at_ms, "pass", novel, trust, _plain(gateway), "", 0, "", "", "", -1
        account, message_id = batch.origin(i) if batch.origin else ("", "")
        if not (gateway + sender + account + message_id).isascii():
            gateway, sender, account, message_id = map(
                _plain, (gateway, sender, account, message_id)
            )
        held = self._book.names.get(platform)
        name = held.key if held else f"#{platform}"
        who = gateway, name, platform, sender, account, message_id
        if not refused:
            return offset, at_ms, "pass", novel, trust, *who, -1
        assert suspect.episode is not None, "a lease is an episode's"
        incident = suspect.episode.incident
        return offset, at_ms, "refuse", novel, trust, *who, incident.lease if incident else -1


def _plain(written: str) -> str:
    """Return an external string with lone surrogates replaced, since UTF-8 cannot encode these."""
    return written if written.isascii() else written.encode("utf-8", "replace").decode()
