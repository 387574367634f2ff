"""Helpers that know nothing of detection: errors, files, logs, language, pages, TLS.

The names that most modules need are imported from here, all others from their own module.
"""

from streams.common.clock import now_ms, utc, utc_exact, zone_named
from streams.common.errors import (
    ConfigError,
    Exit,
    OtpguardError,
    UnavailableError,
    UncertainError,
    UnconfirmedError,
    UsageError,
)
from streams.common.files import (
    FULL,
    convert_toml,
    read_bytes,
    read_toml,
    replace_file,
    toml_value,
    unwritten,
)
from streams.common.language import (
    CHINESE,
    ENGLISH,
    current_language,
    join_list,
    moment,
    speaking,
    suggest,
    tr,
    trc,
    trn,
)
from streams.common.shown import MASK, escape_unprintable, in_json, mask_url

__all__ = [
    "CHINESE",
    "ENGLISH",
    "FULL",
    "MASK",
    "ConfigError",
    "Exit",
    "OtpguardError",
    "UnavailableError",
    "UncertainError",
    "UnconfirmedError",
    "UsageError",
    "convert_toml",
    "current_language",
    "escape_unprintable",
    "in_json",
    "join_list",
    "mask_url",
    "moment",
    "now_ms",
    "read_bytes",
    "read_toml",
    "replace_file",
    "speaking",
    "suggest",
    "toml_value",
    "tr",
    "trc",
    "trn",
    "unwritten",
    "utc",
    "utc_exact",
    "zone_named",
]
