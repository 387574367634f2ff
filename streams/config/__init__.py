"""All settings, each with its unit (in the name), its default and the reason for the default.

Settings come from one TOML file. Environment variables override the file:
`OTPGUARD_<SECTION>_<NAME>`, for example `OTPGUARD_KAFKA_BOOTSTRAP`. A secret can be given as the
path of a file (`password_file`), so that it is not visible in process lists. An unknown name or an
invalid value is refused. Otherwise a typing error would silently select the default.
"""

from streams.config.load import PATH_VARIABLE, RESTARTS, effective, found_path, load, sentences
from streams.config.sections.desk_settings import (
    Console,
    DeskSettings,
    EvidenceSettings,
    SignalSettings,
)
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
