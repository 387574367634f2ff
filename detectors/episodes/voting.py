"""A recipient's vote for the platforms that flood it, by its own evidence."""

from __future__ import annotations

from bisect import bisect_left

from detectors.bars import HOT_PLATFORMS
from detectors.episodes.names import Names
from detectors.hot.listed import Hot
from detectors.hot.votes import HOT_RULES
from detectors.model.records import Cause, Level
from detectors.recipients.row import word
from detectors.suspects.judge import Band, JudgeParams, compare, strongest
from detectors.suspects.mass import WINDOWS, newest
from detectors.suspects.suspect import Suspect


def vote(rules: JudgeParams, hot: Hot, names: Names, suspect: Suspect, cause: Cause) -> None:
    """Let a suspect in an episode vote at this event, if its own evidence shows a flood."""
    episode = suspect.episode
    assert episode is not None, "only in an episode"
    opened, most = episode.path[0].offset, min(suspect.novels, HOT_PLATFORMS)
    if (
        hot.votes.day
        and hot.votes.wants(suspect.recipient, opened, most)
        and entitled(rules, suspect, cause.at_s)
    ):
        platforms = named(names, suspect, episode.since_s)
        hot.take(suspect.recipient, opened, platforms, cause.offset)


def entitled(rules: JudgeParams, suspect: Suspect, at_s: int) -> bool:
    """Tell if pace, counts or mass pass a THROTTLE bar, now or when the level rose.

    The lead of hot platforms does not count: a list would confirm itself.
    """
    episode = suspect.episode
    assert episode is not None, "only in an episode"
    if any(s.level is Level.THROTTLE and s.rule not in HOT_RULES for s in episode.path):
        return True
    if all(step.level is not Level.THROTTLE for step in episode.path):
        return False  # what passes a bar raises the level
    found, bars = strongest(rules, suspect, at_s)
    if compare(bars, found).band is Band.THROTTLE:
        return True
    masses = newest(suspect)
    return any(masses[rule][1] >= bar.throttle for rule, _, bar in WINDOWS)


def named(names: Names, suspect: Suspect, since_s: int) -> list[int]:
    """The platforms of a vote: novel and untrusted, since then."""
    since = suspect.sightings[bisect_left(suspect.sightings, word(since_s, 0, 0)) :]
    trusted = names.trusted
    untrusted = [
        platform for w in since if w >> 32 & 1 and (platform := w & 0xFFFF_FFFF) not in trusted
    ]
    return untrusted[:HOT_PLATFORMS]
