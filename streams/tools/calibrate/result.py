"""Collects the findings of a calibration in one document. Pure."""

import math
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np

from detectors.defaults import COLD_DAYS
from detectors.model.records import EpisodeRecord, Sighting
from detectors.model.times import EPOCH_S
from detectors.thresholds import BURST_NOVEL
from streams.common import tr
from streams.tools.calibrate.alarm_rates import THROTTLE_TARGET, WATCH_TARGET, Rate, format_rate
from streams.tools.calibrate.cohort import GAP_BIN_S
from streams.tools.calibrate.peaks import Peak
from streams.tools.calibrate.propose import ProposedChange, p_novel_of
from streams.tools.calibrate.survey import Alarmed, Survey, aside

CASES_MAX: Final = 50
LIMITS_MANY: Final = 3
"""Number of days with limits on single platforms from which a number is listed for exemption.
Chosen: a test number reaches a limit each day."""


@dataclass(slots=True)
class Result:
    """The inputs and findings of one calibration."""

    source: str  # Describes the source of the history.
    current: Survey
    # Number given by the operator; None: the recipients seen in the history.
    subscribers: int | None
    judged: frozenset[str]  # Recipients or episodes that a person judged to be no false alarms.
    changes: list[ProposedChange]
    proposed: Survey | None  # None: nothing to propose, or the history cannot be read twice.
    unreached: list[str] = field(default_factory=list)  # Reasons why no setting meets the target.
    refused: int = 0  # Number of values that were not valid events.
    show_recipients: bool = False

    @property
    def days(self) -> float:
        return (self.subscribers or self.current.cohort.recipients) * self.current.days

    def rates(self, survey: Survey) -> tuple[Rate, Rate]:
        watch, throttle = survey.alarms.counts(self.judged)
        return Rate(watch, self.days), Rate(throttle, self.days)

    @property
    def list_throttled(self) -> list[tuple[str, Alarmed, EpisodeRecord]]:
        """Recipients that would have been throttled; those that count as false alarms first."""
        found = [
            (name, held, held.record)
            for name, held in self.current.alarms.by_recipient.items()
            if held.record is not None
        ]
        return sorted(found, key=lambda f: (aside(f[0], f[1], self.judged), f[2].at_ms))

    @property
    def longest_spree(self) -> int:
        """Platforms in the longest sitting of a recipient without a throttle; at most 64."""
        return max(self.current.cohort.sittings, default=0)

    def name(self, recipient: str) -> str:
        """Return a recipient as it may be shown: masked unless `show_recipients` is set."""
        return recipient if self.show_recipients else mask_recipient(recipient)


Verdict = Literal["judged", "chronic", "looks_like_attack", "unclear"]


def verdict(result: Result, name: str, alarmed: Alarmed) -> Verdict:
    """Return the verdict by a person's judgement, else whether it is chronic, else by size.

    An episode looks like an attack if its number of novel platforms exceeds two limits. One limit
    is the longest sitting of any recipient without a throttle. The other is twice the number that a
    THROTTLE needs. This is only a hint for the person who judges; such recipients still count as
    false alarms.
    """
    if name in result.judged or not result.judged.isdisjoint(alarmed.episodes):
        return "judged"
    if alarmed.chronic:
        return "chronic"
    most = max(result.longest_spree, 2 * int(BURST_NOVEL.throttle))
    return "looks_like_attack" if alarmed.novel > most else "unclear"


def mask_recipient(recipient: str) -> str:
    """Return a masked recipient that shows the country and the network, but not the subscriber.

    >>> mask_recipient("8613812345678"), mask_recipient("hk1:0a1b2c3d4e5f")
    ('86138******78', 'hk1:0a1b***')
    """
    if not recipient.isdigit():
        return f"{recipient[:8]}***"
    head = max(0, min(5, len(recipient) - 6))
    return recipient[:head] + "*" * (len(recipient) - head - 2) + recipient[-2:]


def document(result: Result) -> dict[str, Any]:
    """Return all findings, ready for JSON."""
    survey = result.current
    share, limit, count = p_novel_of(survey)
    verdicts = [verdict(result, name, held) for name, held, _ in result.list_throttled]
    return {
        "source": result.source,
        "history": _history(result),
        "rates": {"current": _rates(result, survey)}
        | ({"proposed": _rates(result, result.proposed)} if result.proposed else {}),
        "rules": [
            {
                "rule": rule,
                "episodes": n,
                "per_million": _number(1e6 * Rate(n, result.days).per_day),
            }
            for rule, n in survey.alarms.rules(result.judged).most_common()
        ],
        "changes": [asdict(change) for change in result.changes],
        "unreached": _list_unreached(result),
        "bank_like": [each._asdict() for each in survey.numbers.bank_like()],
        "pace": _pace(survey),
        "novelty": {
            "last_week_spree": {"p_novel": _number(share), "upper": _number(limit), "of": count}
        },
        "gateways": _gateways(survey),
        "chronic": _chronic(result),
        "throttled": _export_throttled(result),
        "throttled_recipients": len(result.list_throttled),
        "longest_spree": result.longest_spree,
        "looks_like_attack": verdicts.count("looks_like_attack"),
        "set_aside": sum(
            aside(name, held, result.judged) for name, held, _ in result.list_throttled
        ),
        "judged": {
            "named": len(result.judged),
            "without_alarm": len(survey.alarms.find_unmatched(result.judged)),
        },
        "nearest_misses": [_miss(result, peak) for peak in survey.peaks.misses],
        "near_limits": [
            each._asdict()
            | {
                "share": _number(each.share),
                "recipient": result.name(each.recipient),
                "at": _clock_ms(each.at_ms),
            }
            for each in survey.near.found
            if each.recipient not in survey.peaks.aside
        ][:CASES_MAX],
    }


def _history(result: Result) -> dict[str, Any]:
    """Return the size and time span of the history, for JSON.

    `outside` has the messages of hours that are too sparse to count as part of a day.
    """
    survey = result.current
    hours, every = survey.busy, sorted(survey.hours)
    return {
        "from": _clock(hours[0] * 3600) if hours else None,
        "to": _clock((hours[-1] + 1) * 3600) if hours else None,
        "days": round(survey.days, 2),
        "hours": len(hours),
        "outside": {
            "messages": survey.outside,
            "hours": len(every) - len(hours),
            "from": _clock(every[0] * 3600) if every else None,
            "to": _clock((every[-1] + 1) * 3600) if every else None,
        },
        "subscribers": result.subscribers or survey.cohort.recipients,
        "subscribers_source": "given" if result.subscribers else "seen in the history",
        "subscriber_days": round(result.days),
        "messages": survey.messages,
        "refused": result.refused,
        "codes": survey.codes,
        "codes_per_subscriber_day": _number(survey.codes / result.days if result.days else 0),
        "with_text": _number(survey.texts / survey.messages if survey.messages else 0),
        "evicted": survey.evicted,
    }


def _pace(survey: Survey) -> dict[str, Any]:
    cohort = survey.cohort
    return {
        "sightings": int(cohort.gaps.sum()),
        "median_s": _quantile(cohort.gaps, 0.5),
        "p5_s": _quantile(cohort.gaps, 0.05),
    }


def _gateways(survey: Survey) -> list[dict[str, Any]]:
    return [
        {
            "gateway": name or "(none named)",
            "samples": seen.samples,
            "whole_minutes": _number(seen.minutes / seen.samples),
            "back_over_10s": _number(seen.back_10s / seen.samples),
            "back_over_60s": _number(seen.back_60s / seen.samples),
            "class": stamps.name.lower(),
        }
        for name, (seen, stamps) in sorted(survey.stamps().items())
    ]


def _chronic(result: Result) -> list[dict[str, Any]]:
    """Return recipients that are throttled or limited often, with the command that exempts each."""
    return [
        {
            "recipient": result.name(name),
            "throttles": held.throttle,
            "limits": len(held.limits),
            "command": f"otpguard exempt {name} --reason 'disposable or test'"
            if result.show_recipients
            else None,  # A masked number cannot be exempted.
        }
        for name, held in result.current.alarms.by_recipient.items()
        if held.chronic or len(held.limits) >= LIMITS_MANY
    ][:CASES_MAX]


def _export_throttled(result: Result) -> list[dict[str, Any]]:
    """Return throttled recipients with the data for a judgement; those that count first."""
    return [
        {
            "recipient": result.name(name),
            "episode_id": record.episode_id,
            "episodes": held.throttle,
            "set_aside": aside(name, held, result.judged),
            "verdict": verdict(result, name, held),
            "novel_most": held.novel,
            "at": _clock_ms(record.at_ms),
            "rule": record.reason.rule,
            "score": _number(record.reason.score),
            "threshold": record.reason.threshold,
            "text": record.reason.text,
            "known": record.known,
            "mode": record.mode,
            "sightings": _sightings(record.sightings),
        }
        for name, held, record in result.list_throttled[:CASES_MAX]
    ]


def _rates(result: Result, survey: Survey) -> dict[str, Any]:
    watch, throttle = result.rates(survey)
    return {"watch": _rate(watch, WATCH_TARGET), "throttle": _rate(throttle, THROTTLE_TARGET)}


def _list_unreached(result: Result) -> list[str]:
    """Return the reasons why the target is not met, by both runs (current, proposed)."""
    reasons = list(result.unreached)
    if result.proposed is not None:
        _, throttle = result.rates(result.proposed)
        if throttle.standing(THROTTLE_TARGET) == "exceeded":
            reasons.append(
                tr(
                    "at the proposed settings there are still {n} THROTTLE episodes, {rate} per "
                    "million subscriber-days"
                ).format(n=f"{throttle.alarms:,}", rate=format_rate(1e6 * throttle.per_day))
            )
    return reasons


def _rate(rate: Rate, target: float) -> dict[str, Any]:
    low, high = rate.interval
    return {
        "episodes": rate.alarms,
        "per_million": _number(rate.per_day * 1e6),
        "per_million_95": [_number(low * 1e6), _number(high * 1e6)],
        "target_per_million": target * 1e6,
        "standing": rate.standing(target),
        "subscriber_days_needed": rate.days_needed(target),
        "sentence": sentence(rate, target),
    }


def sentence(rate: Rate, target: float) -> str:
    """Return a sentence about a rate that claims only what was shown."""
    goal = tr("{n} per million subscriber-days").format(n=f"{target * 1e6:g}")
    match rate.standing(target):
        case "shown":
            return tr("at or under {goal}, shown at 95 %").format(goal=goal)
        case "exceeded":
            return tr("over {goal}, shown at 95 %").format(goal=goal)
        case "open":
            form = tr(
                "{days} subscriber-days are too few to show that it is at or under {goal}: "
                "that takes {needed}, all without an alarm"
            )
            if rate.alarms:
                form = tr(
                    "{days} subscriber-days are too few to show that it is at or under "
                    "{goal}: that takes {needed} even without a further alarm"
                )
            return form.format(
                goal=goal, days=f"{rate.days:,.0f}", needed=f"{rate.days_needed(target):,}"
            )


def too_short(days: float) -> str:
    """Explain that a history is too short to know people's platforms; "" if it is long enough."""
    if days >= COLD_DAYS:
        return ""
    return tr(
        "{days} days are too short to know people's platforms: {least} days are needed, or "
        "habitual codes count as new ones"
    ).format(days=f"{days:g}", least=COLD_DAYS)


def outside(history: dict[str, Any]) -> str:
    """Explain the messages that make no day of the history; "" if there are none."""
    left = history["outside"]
    if not left["messages"]:
        return ""
    return tr(
        "{n} messages between {first} and {last} UTC lie in {hours} hours with hardly any traffic: "
        "stray clocks, or the memory of a few numbers, such as victims of attacks that were mixed "
        "in. They are read, and make no days"
    ).format(
        n=f"{left['messages']:,}", first=left["from"], last=left["to"], hours=f"{left['hours']:,}"
    )


def _miss(result: Result, peak: Peak) -> dict[str, Any]:
    return {
        "recipient": result.name(peak.recipient),
        "at": _clock_ms(peak.at_ms),
        "share_of_bar": _number(peak.near),
        "rule": peak.rule,
        "score": _number(peak.score),
        "bar": peak.bar,
        "novel_in_bucket": peak.novel,
        "known": peak.known,
        "sightings": _sightings(peak.sightings),
    }


def _sightings(sightings: tuple[Sighting, ...]) -> list[dict[str, Any]]:
    return [
        {
            "at": _clock_ms(s.at_ms),
            "platform": s.platform,
            "novel": s.novel,
            "trust": s.trust.name.lower(),
        }
        for s in sightings
    ]


def _quantile(bins: Any, q: float) -> float | None:
    """Return a quantile of a histogram of gaps, in seconds, interpolated within its bin."""
    total = int(bins.sum())
    if not total:
        return None
    upto = np.cumsum(bins)
    at = int(np.searchsorted(upto, q * total))
    before = int(upto[at - 1]) if at else 0
    return _number(GAP_BIN_S * (at + (q * total - before) / max(1, int(bins[at]))))


def _clock(at_s: int) -> str:
    return _clock_ms((at_s + EPOCH_S) * 1000)


def _clock_ms(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _number(value: float) -> float | None:
    """Return a number with four significant digits; None if it is not finite.

    >>> _number(0.123456), _number(12345.6), _number(math.inf)
    (0.1235, 12350.0, None)
    """
    return float(f"{value:.4g}") if math.isfinite(value) else None
