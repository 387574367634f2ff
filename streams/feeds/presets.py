"""Layouts of call detail records as gateways write them, for `feed csv --preset`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Preset:
    """Values of the options of `feed csv`. Options that are given count more."""

    about: str
    maps: tuple[str, ...]
    time_format: str
    constants: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    escaped: frozenset[str] = frozenset()


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        # CdrGenerator of RestComm's smscgateway (7.x): no head line, 29 fields, the text's first 20
        # characters; a line for each attempt, and for receipts too.
        "restcomm": Preset(
            "cdr.log of the RestComm SMSC gateway",
            (
                "recipient=destination_address",
                "sender=source_address",
                "event_time_ms=submit_date",
                "message_id=message_id",
                "text_prefix=first_20_characters",
                "status=status",
                "account_id=system_id",
            ),
            "%Y-%m-%d %H:%M:%S.%f",
            columns=(
                "submit_date", "source_address", "source_ton", "source_npi",
                "destination_address", "destination_ton", "destination_npi", "status",
                "origination_type", "message_type", "system_id", "message_id",
                "delivery_message_id", "receipt_message_id", "nnn", "imsi", "correlation_id",
                "originator_sccp_address", "mt_service_center", "origination_network",
                "network", "mproc_notes", "parts", "characters", "processing_ms",
                "schedule_delay_ms", "deliveries", "first_20_characters", "reason",
            ),
            only={"message_type": frozenset({"message"})},
        ),
        # The table that Jasmin's logger of submissions fills, exported with its head line.
        "jasmin": Preset(
            "submit_log of Jasmin, exported with its head line",
            (
                "recipient=destination_addr",
                "sender=source_addr",
                "event_time_ms=created_at",
                "message_id=msgid",
                "text=short_message",
                "status=status",
                "account_id=uid",
                "route_id=routed_cid",
            ),
            "%Y-%m-%d %H:%M:%S",
        ),
        # The table that Kannel's sqlbox moves what is sent to, exported with its head line. Texts
        # are escaped as in a URL; times are seconds.
        "kannel": Preset(
            "sent_sms of Kannel's sqlbox, exported with its head line",
            (
                "recipient=receiver",
                "sender=sender",
                "event_time_ms=time",
                "message_id=sql_id",
                "text=msgdata",
                "account_id=account",
                "route_id=smsc_id",
            ),
            "s",
            only={"momt": frozenset({"MT"})},
            escaped=frozenset({"msgdata"}),
        ),
    }
)  # fmt: skip
