"""Seeded, pure generators of attacks, of look-alikes, and of ordinary traffic.

They write `sms.delivery.v1` events and, separately, the truth about each. The texts were written
without the recogniser's rules, and the recogniser is not imported.
"""

from streams.tools.scenarios.catalog import DEFAULT_START_MS, SCENARIOS, Scenario, generate
from streams.tools.scenarios.labelled_events import Labelled, Role, Truth, merge_streams
from streams.tools.scenarios.ordinary import Rates, ordinary
from streams.tools.scenarios.people import person

__all__ = [
    "DEFAULT_START_MS",
    "SCENARIOS",
    "Labelled",
    "Rates",
    "Role",
    "Scenario",
    "Truth",
    "generate",
    "merge_streams",
    "ordinary",
    "person",
]
