"""Says whether the codes of a flood are refused or only observed, and why. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from detectors.episodes.lease import EpisodeParams
from detectors.leases.rails import Refusal
from detectors.model.records import EpisodeRecord
from detectors.model.times import DAY_MS
from streams.cases.standing import REFUSING, Doing
from streams.common import moment, tr, trn
from streams.wire.desired_state import NoLease


class FloodOutcome(StrEnum):
    """What is done about a flood."""

    REFUSED = "refused"  # codes are refused by order; a gateway may not have confirmed it yet
    OBSERVED = "observed"  # the flood was found, and nothing is refused
    WATCHED = "watched"  # it never came to a throttle


class ObservedReason(StrEnum):
    """Why a flood is only observed."""

    MODE = "mode"  # the detector's mode is shadow, or that of the rule which found the flood
    SWITCH = "switch"  # the kill switch is off or shadow
    MEMORY = "memory"  # too little is known of the number: `detect.enforce_cold`
    EXEMPT = "exempt"  # an operator exempted or released the number
    BUDGET = "budget"  # the rails refused the lease: too many leases
    GATEWAY = "gateway"  # no gateway enforces the lease


@dataclass(frozen=True, slots=True)
class Observed:
    """The reason why a flood is only observed, and what is known of its number."""

    reason: ObservedReason
    known: int = 0  # number of platforms that the number knew
    days: int = 0  # number of days for which the number is known
    from_ms: int = 0  # for MEMORY: from then on (UTC) the number is protected; 0: not known

    def sentence(self) -> str:
        """Return the reason as a sentence to read to a customer, in the current language."""
        if self.reason is not ObservedReason.MEMORY or not self.from_ms:
            return tr(SENTENCES[self.reason])
        return tr(
            "We do not know your number well enough yet ({platforms} in {days}) to refuse "
            "anything; from {date} at the latest, it is protected."
        ).format(
            platforms=trn("{n} platform", "{n} platforms", self.known),
            days=trn("{n} day", "{n} days", self.days),
            date=moment(self.from_ms)[:10],
        )


SENTENCES: Final = {
    ObservedReason.MODE: "At present we only observe floods like this one.",
    ObservedReason.SWITCH: "At present the protection is switched off for all numbers.",
    ObservedReason.MEMORY: "We do not know your number well enough yet to refuse anything.",
    ObservedReason.EXEMPT: "Your number is exempt from the protection, so we refuse nothing.",
    ObservedReason.BUDGET: "So many numbers are flooded now that we cannot protect more of them.",
    ObservedReason.GATEWAY: "The protection does not take effect at the moment; we look into it.",
}

_BY_ACK: Final[dict[str, ObservedReason]] = {
    NoLease.MODE: ObservedReason.SWITCH,
    NoLease.EXEMPT: ObservedReason.EXEMPT,
    NoLease.RELEASED: ObservedReason.EXEMPT,
    **dict.fromkeys(Refusal, ObservedReason.BUDGET),
}
"""Why a gateway ignored a lease -> reason."""


def outcome(state: Doing, mode: str, gateways: str) -> FloodOutcome:
    """Return what is done about a flood, or was done if its lease has ended.

    `gateways`: the strongest acknowledgement, as `standing.said_by_gateways` returns it.
    """
    if state is Doing.WATCHED or gateways == "watched":
        return FloodOutcome.WATCHED
    if state in (Doing.OVER, Doing.LAPSED):
        unconfirmed = mode == "enforce" and gateways not in ("ignored", "failed")
        refuses = gateways == "applied" or unconfirmed
    else:
        refuses = state in REFUSING
    return FloodOutcome.REFUSED if refuses else FloodOutcome.OBSERVED


def why_observed(
    state: Doing,
    answers: Collection[str],
    record: EpisodeRecord,
    params: EpisodeParams,
) -> Observed:
    """Return why an observed flood is only observed.

    `answers`: why gateways ignored its leases. `params`: the settings of the detector.
    """
    known, days = record.known, record.memory_days
    if state is Doing.OFF or (state is Doing.SHADOW and record.mode == "enforce"):
        reason = ObservedReason.SWITCH
    elif state in (Doing.EXEMPT, Doing.RELEASED):
        reason = ObservedReason.EXEMPT
    elif record.mode == "enforce":
        reason = next((of for why, of in _BY_ACK.items() if why in answers), ObservedReason.GATEWAY)
    elif params.mode == "shadow" or params.is_enough(known, days):
        reason = ObservedReason.MODE
    elif record.since_ms is not None:  # The record that says what was known is missing.
        return Observed(ObservedReason.MEMORY)
    else:
        from_ms = (record.at_ms // DAY_MS + params.cold_days - days) * DAY_MS
        return Observed(ObservedReason.MEMORY, known, days, from_ms)
    return Observed(reason, known, days)
