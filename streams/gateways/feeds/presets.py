"""Column layouts of call detail records of known gateways, for `feed csv --preset`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Preset:
    """Values for the options of `feed csv`. Options given on the command line take precedence."""

    about: str = ""
    maps: tuple[str, ...] = ()
    time_format: str | None = None
    constants: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    escaped: frozenset[str] = frozenset()


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        # CdrGenerator of RestComm's smscgateway (7.x): no header line, 29 fields, and only the
        # first 20 characters of the text. Each delivery attempt is a line, and receipts are too.
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
        # The table that Jasmin's submission logger fills, exported with a header line.
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
        # The table to which Kannel's sqlbox moves sent messages, exported with a header line. Texts
        # are URL-encoded; times are in seconds.
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
