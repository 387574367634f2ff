"""A victim's vote for the platforms that send the flood's codes.

The list of hot platforms (abused by floods) is made from these votes.
"""

from bisect import bisect_left

from detectors.episodes.platform_names import Names
from detectors.hot.listed import Hot
from detectors.hot.votes import HOT_RULES
from detectors.model.records import Cause, Level
from detectors.recipients.row import word
from detectors.suspects.judge import Band, JudgeParams, compare, strongest
from detectors.suspects.suspect import Episode, Suspect
from detectors.suspects.volume import WINDOWS, newest


def vote(
    rules: JudgeParams,
    hot: Hot,
    names: Names,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
) -> None:
    """Let a suspect in an episode vote at this event, if its own evidence shows a flood.

    `hot` stores the vote. `hot` also decides whether another vote of this recipient is wanted.
    """
    opened = episode.path[0].offset
    if (
        hot.votes.day
        and hot.votes.wants(suspect.recipient, opened, suspect.novels)
        and may_vote(rules, suspect, episode, cause.at_s)
    ):
        platforms = choose_platforms(names, suspect, episode.since_s)
        hot.take(suspect.recipient, opened, platforms, cause.offset)


def may_vote(rules: JudgeParams, suspect: Suspect, episode: Episode, at_s: int) -> bool:
    """Return true if pace, counts or message volume reach THROTTLE, now or when the level rose.

    The score of hot platforms does not count, because a list would then confirm itself.
    """
    throttled = False
    for step in episode.path:
        if step.level is Level.THROTTLE:
            if step.rule not in HOT_RULES:
                return True
            throttled = True
    if not throttled:
        return False  # a score at a THROTTLE threshold would have raised the level
    found, bars = strongest(rules, suspect, at_s)
    if compare(bars, found).band is Band.THROTTLE:
        return True
    masses = newest(suspect)
    return any(masses[rule][1] >= bar.throttle for rule, _, bar in WINDOWS)


def choose_platforms(names: Names, suspect: Suspect, since_s: int) -> set[int]:
    """Return the platforms of a vote: novel and untrusted, first seen at `since_s` or later."""
    before = suspect.sightings[: bisect_left(suspect.sightings, word(since_s, 0, 0))]
    novel = suspect.seen.keys() - suspect.known_held
    return novel.difference(names.trusted, [w & 0xFFFF_FFFF for w in before])
