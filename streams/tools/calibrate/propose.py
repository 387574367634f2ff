"""Proposes settings from the measurements of a calibration, each with its reason. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import BURST
from detectors.thresholds import BURST_MARGIN_MAX
from streams.common import tr
from streams.config import Settings
from streams.tools.calibrate.alarm_rates import THROTTLE_TARGET, Rate, format_rate
from streams.tools.calibrate.peaks import LEVEL_STEP, Peaks
from streams.tools.calibrate.survey import Survey, aside

SPREE_SIGHTINGS_MIN: Final = 1000
"""Minimum number of sightings in log-in sprees from which P(novel) is proposed: +-3 % at 95 %."""

LAST_DAYS: Final = 7
"""P(novel) is the share of platforms in log-in sprees that are new to the person. It is measured in
the last week of the history, because the memory is oldest then."""

TEXTLESS: Final = 0.01
CONFIDENCE_TEXTLESS: Final = 0.4
"""Confidence of a recognition by the sender alone, as in `detectors.recognise.recogniser`."""


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """A setting that should have another value."""

    name: str
    was: Any
    value: Any
    because: str


def propose(settings: Settings, survey: Survey, throttles: Rate) -> Iterator[ProposedChange]:
    """Yield the changes that the history supports; none where its data do not suffice."""
    yield from _stamps(settings, survey)
    yield from _p_novel(settings, survey)
    yield from _margin(settings, survey.peaks, throttles)
    yield from _propose_shared(settings, survey)
    if survey.messages and survey.texts < TEXTLESS * survey.messages:
        was = settings.recognise.confidence_min
        if was > CONFIDENCE_TEXTLESS:
            yield ProposedChange(
                "recognise.confidence_min", was, CONFIDENCE_TEXTLESS,
                tr(
                    "{share} % of the messages have a text: for the others the sender must "
                    "be enough"
                ).format(share=f"{100 * survey.texts / survey.messages:.1f}"),
            )  # fmt: skip


def _propose_shared(settings: Settings, survey: Survey) -> Iterator[ProposedChange]:
    """Propose the senders under whose names many platforms sent messages."""
    was = settings.recognise.shared_senders
    found = survey.fanout.list_shared()
    if new := [sender for sender in found if sender not in was]:
        yield ProposedChange(
            "recognise.shared_senders", list(was), [*was, *new],
            tr(
                "texts from them name at least {names} platforms, none in most texts. Look "
                "at each name first: if it belongs to a single platform, that platform would "
                "be split into many"
            ).format(names=min(found[sender] for sender in new)),
        )  # fmt: skip


def p_novel_of(survey: Survey) -> tuple[float, float, int]:
    """Return the share of novel platforms in log-in sprees of the last week.

    Returns the share, its upper limit (Wilson's, 1927, 97.5 % one-sided), and the number of
    platforms.
    """
    since = max(survey.busy, default=0) // 24 - LAST_DAYS
    week = [sums for day, sums in survey.cohort.spree_days.items() if since < day]
    novel, count = np.sum(week or [[0, 0]], axis=0)
    if not count:
        return float("nan"), 1.0, 0
    z, share = 1.959964, novel / count
    centre = share + z * z / (2 * count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return float(share), float((centre + half) / (1 + z * z / count)), int(count)


def _p_novel(settings: Settings, survey: Survey) -> Iterator[ProposedChange]:
    share, limit, count = p_novel_of(survey)
    was = settings.detect.p_novel
    if count < SPREE_SIGHTINGS_MIN:
        return
    value = round(limit + 0.005, 2)
    if _class(value) != _class(was):
        yield ProposedChange(
            "detect.p_novel", was, min(1.0, value),
            tr(
                "of {n} platforms in log-in sprees of the last {days} days {share} % were new to "
                "the person; with a memory as old as this history"
            ).format(n=f"{count:,}", days=LAST_DAYS, share=f"{100 * share:.1f}"),
        )  # fmt: skip


def _class(p_novel: float | None) -> int:
    """Return the class of thresholds for a value, as in `detectors.suspects.judge.bars_of`."""
    return 0 if p_novel is None or p_novel > 0.5 else 1 if p_novel > 0.3 else 2


def _stamps(settings: Settings, survey: Survey) -> Iterator[ProposedChange]:
    was = dict(settings.detect.stamps)
    measured: dict[str, str] = {
        name: stamps.name.lower()
        for name, (_, stamps) in survey.stamps().items()
        if stamps is not ClockClass.EXACT and name and name not in was
    }
    if measured:
        yield ProposedChange(
            "detect.stamps", was, {**was, **dict(sorted(measured.items()))},
            tr("measured on this history; as a setting it applies from a worker's first "
               "event on"),
        )  # fmt: skip


def _margin(settings: Settings, peaks: Peaks, throttles: Rate) -> Iterator[ProposedChange]:
    """Propose the lowest burst margin that meets the target rate of false throttles.

    Nothing is proposed unless the measured rate is shown to exceed the target.
    """
    if throttles.standing(THROTTLE_TARGET) != "exceeded":
        return
    was = settings.detect.burst_margin
    margin = _least_margin(was, peaks, throttles)
    if margin is not None:
        yield ProposedChange(
            "detect.burst_margin", was, margin,
            tr(
                "{n} THROTTLE episodes in {days} subscriber-days. This is right if none of "
                "them was an attack: check them first, and name attacks with --judged"
            ).format(n=throttles.alarms, days=f"{throttles.days:,.0f}"),
        )  # fmt: skip


def _least_margin(was: float, peaks: Peaks, throttles: Rate) -> float | None:
    """Return the lowest burst margin above `was` that meets the target; None if no margin does.

    Also None if `was` already meets the target.
    """
    if _over(peaks, was) <= THROTTLE_TARGET * throttles.days:
        return None  # Other rules caused these throttles.
    for tenths in range(round(was * 10) + 1, round(BURST_MARGIN_MAX * 10) + 1):
        if _over(peaks, tenths / 10) <= THROTTLE_TARGET * throttles.days:
            return tenths / 10
    return None


def _over(peaks: Peaks, margin: float) -> int:
    """Return the recipient-days that reach the bucket's THROTTLE threshold with this margin."""
    bar = BURST[ClockClass.EXACT].throttle + margin
    return int(peaks.levels[round(bar / LEVEL_STEP) :].sum())


def find_unreached(survey: Survey, throttles: Rate, judged: frozenset[str]) -> Iterator[str]:
    """Yield the reasons why no setting meets the target rate, if the rate surely exceeds it."""
    if throttles.standing(THROTTLE_TARGET) != "exceeded":
        return
    rules = Counter(
        held.record.reason.rule
        for name, held in survey.alarms.by_recipient.items()
        if held.record is not None and not aside(name, held, judged)
    )
    counted = {rule: n for rule, n in sorted(rules.items()) if rule != "burst"}
    slow = Rate(sum(counted.values()), throttles.days)
    if slow.standing(THROTTLE_TARGET) == "exceeded":
        yield (
            tr(
                "{n} of {all} throttled recipients were found by the counts over minutes and "
                "hours ({rules}), {rate} per million subscriber-days: detect.burst_margin "
                "does not change them, and no setting raises their thresholds "
                "(detect.p_novel lowers them)"
            ).format(
                n=f"{slow.alarms:,}",
                all=f"{rules.total():,}",
                rules=", ".join(counted),
                rate=format_rate(1e6 * slow.per_day),
            )
        )
    most = BURST_MARGIN_MAX
    left = _over(survey.peaks, most)
    if left > THROTTLE_TARGET * throttles.days and rules["burst"]:
        yield (
            tr(
                "no detect.burst_margin brings the score of bursts to the target: at the "
                "highest, {most}, {n} recipient-days are still above the threshold, {rate} "
                "per million subscriber-days"
            ).format(most=f"{most:g}", n=f"{left:,}", rate=format_rate(1e6 * left / throttles.days))
        )


def apply_changes(settings: Settings, changes: list[ProposedChange]) -> Settings:
    """Return a copy of the settings with these changes."""
    values = settings.model_dump()
    for change in changes:
        section, _, name = change.name.partition(".")
        values[section][name] = change.value
    return settings.model_copy(
        update={
            section: type(getattr(settings, section)).model_validate(values[section])
            for section in {change.name.partition(".")[0] for change in changes}
        }
    )
