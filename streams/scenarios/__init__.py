"""Rehearsals: seeded, pure generators of attacks, of what looks like them, of ordinary traffic.

They write values of `sms.delivery.v1` and, apart from them, the truth. The texts are the scenarios'
own: the recogniser is not imported here and its rules were not looked at.
"""

from streams.scenarios.catalog import DEFAULT_START_MS, SCENARIOS, Scenario, generate
from streams.scenarios.events import Labelled, Role, Truth
from streams.scenarios.mix import merged
from streams.scenarios.ordinary import Rates, ordinary
from streams.scenarios.people import person

__all__ = [
    "DEFAULT_START_MS",
    "SCENARIOS",
    "Labelled",
    "Rates",
    "Role",
    "Scenario",
    "Truth",
    "generate",
    "merged",
    "ordinary",
    "person",
]
