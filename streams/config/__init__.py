"""Every setting, with its unit (in the name), default and reason.

One TOML file, then the environment over it: `OTPGUARD_<SECTION>_<NAME>`, such as
`OTPGUARD_KAFKA_BOOTSTRAP`. A secret is named by a file (`password_file`), so that it shows in no
process list; a wrong or unknown name is refused, so that a typing error cannot pass for a default.
"""

from __future__ import annotations

from streams.config.load import PATH_VARIABLE, RESTARTS, effective, found_path, load, sentences
from streams.config.sections.desk import Console, DeskSettings, EvidenceSettings, SignalSettings
from streams.config.sections.detection import Detect, Input, Recognise, WorkerSettings
from streams.config.sections.enforcement import (
    Canary,
    Enforce,
    Feed,
    GateSettings,
    Kannel,
    Redis,
    Webhook,
)
from streams.config.sections.kafka import Kafka, Topics
from streams.config.sections.notices import Notify, Reports, Smpp
from streams.config.sections.serving import PORTS, Http
from streams.config.settings import ENVIRONMENT_PREFIX, SEED, TABLE, Settings

__all__ = [
    "ENVIRONMENT_PREFIX",
    "PATH_VARIABLE",
    "PORTS",
    "RESTARTS",
    "SEED",
    "TABLE",
    "Canary",
    "Console",
    "DeskSettings",
    "Detect",
    "Enforce",
    "EvidenceSettings",
    "Feed",
    "GateSettings",
    "Http",
    "Input",
    "Kafka",
    "Kannel",
    "Notify",
    "Recognise",
    "Redis",
    "Reports",
    "Settings",
    "SignalSettings",
    "Smpp",
    "Topics",
    "Webhook",
    "WorkerSettings",
    "effective",
    "found_path",
    "load",
    "sentences",
]
