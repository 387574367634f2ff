"""Maps a carrier's fields to those of `sms.delivery.v1`, by options of the command line."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from streams.common import UsageError, suggest, tr, zone_named
from streams.gateways.feeds.text_form import text_reader
from streams.wire.events import EVENT_TIME_MAX_MS, RESERVED_TYPES

REQUIRED: Final = frozenset({"recipient", "sender", "event_time_ms"})
"""Fields that have no default. A message id can be made from the record's position."""

NUMBERS: Final = frozenset({"segment", "segments", "attempt", "ingest_time_ms"})
FIELDS: Final = (
    "recipient", "sender", "event_time_ms", "message_id", "event_type", "event_id", "text",
    "text_prefix", "signature", "category", "platform_id", "segment", "segments", "attempt",
    "status", "error_code", "direction", "account_id", "gateway_id", "route_id", "mcc_mnc",
    "ingest_time_ms", "template_id",
)  # fmt: skip

Convert = Callable[[Any], Any]
"""Converts a value. Raises ValueError, TypeError or OverflowError if it cannot."""

ZONE: Final = "America/Sao_Paulo"  # An example for messages that ask for a time zone.

_UNITS: Final[Mapping[str, float]] = {"s": 1000, "ms": 1, "us": 1e-3, "ns": 1e-6}
_NAMED: Final = (*_UNITS, "iso")


class UnmappableError(ValueError):
    """A record without a required field, or with a value in an unexpected form."""


class LackingError(UnmappableError):
    """A record without a required field."""


def far_ahead() -> UnmappableError:
    """Return the error for a time that is too far ahead.

    The message does not quote the value, because it could be a phone number.
    """
    return UnmappableError(
        tr("event_time_ms is far ahead: another zone or unit? --zone and --time name them")
    )


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A feed's mapping from columns to fields, its constants, and its time format."""

    # Source column -> target fields, each with its conversion.
    targets: Mapping[str, tuple[tuple[str, Convert], ...]]
    constants: Mapping[str, Any] = field(default_factory=dict)
    described: str = ""  # Text that differs if another mapping would give other values.
    nested: tuple[str, ...] = ()  # Sources such as a.b: the field b of the object a.

    @classmethod
    def parse(
        cls,
        maps: Iterable[str],
        constants: Iterable[str],
        time_format: str,
        zone: str | None,
        text_form: str = "plain",
    ) -> Self:
        """Parse `target=source` and `target=value` arguments; UsageError names a wrong argument.

        `time_format` is s, ms, us or ns since 1970, iso, or a pattern of strptime. `zone` applies
        to times that name no zone. Without `zone`, such a time raises UsageError when it is read.
        `text_form` is one of `text_form.FORMS`.

        >>> rules = FieldMap.parse(["recipient=called"], ["gateway_id=smsc-1"], "s", "UTC")
        >>> rules.value({"called": "139", "sender": "1069", "event_time_ms": 1.5}, "f-1")
        {'schema_version': 1, 'gateway_id': 'smsc-1', 'recipient': '139', 'sender': '1069',
         'event_time_ms': 1500, 'message_id': 'f-1'}
        """
        sources = dict(_pair(word) for word in maps)
        given = dict(_pair(word) for word in constants)
        for name in (*sources, *given):
            if name not in FIELDS:
                sentence = tr("sms.delivery.v1 has no field {name!r}").format(name=name)
                raise UsageError(suggest(sentence, name, FIELDS))
        try:
            refuse_reserved(given)
        except UnmappableError as error:
            raise UsageError(str(error)) from None
        try:
            numbers = {name: int(text) if name in NUMBERS else text for name, text in given.items()}
        except ValueError:
            raise UsageError(
                tr("{what}: no number").format(what=", ".join(sorted(NUMBERS & given.keys())))
            ) from None
        converts: dict[str, Convert] = dict.fromkeys(NUMBERS, int)
        converts["event_time_ms"] = time_reader(time_format, zone)
        converts["text"] = converts["text_prefix"] = text_reader(text_form)
        targets: dict[str, tuple[tuple[str, Convert], ...]] = {}
        for name in FIELDS:
            if name not in given:
                source = sources.get(name, name)
                entry = name, converts.get(name, str)
                targets[source] = (*targets.get(source, ()), entry)
        described = f"{sorted(sources.items())} {sorted(given.items())} {time_format} {zone}"
        if text_form != "plain":
            described += f" {text_form}"
        return cls(targets, numbers, described, tuple(name for name in targets if "." in name))

    def require(self, file: str, names: Sequence[str]) -> None:
        """Check that these columns give an event; UsageError names the missing fields."""
        if lacking := self.describe_lacking(names, len(names)):
            raise UsageError(
                tr("{file}: no column gives {lacking}").format(file=file, lacking=lacking)
            )

    def describe_lacking(self, names: Sequence[str], shown_max: int) -> str:
        """Return which required fields these columns do not give, and what may be meant instead.

        The result is empty if nothing is missing. At most `shown_max` of the names are listed.
        """
        given = set(self.constants)
        for source, targets in self.targets.items():
            if source in names:
                given |= {target for target, _ in targets}
        lacking = sorted(REQUIRED - given)
        if not lacking:
            return ""
        sentence = tr("{lacking}; there are {names}: {hint}").format(
            lacking=", ".join(lacking),
            names=", ".join(names[:shown_max]),
            hint=" ".join(f"--map {name}=…" for name in lacking),
        )
        for source, targets in self.targets.items():
            if source not in names and any(target in lacking for target, _ in targets):
                sentence = suggest(sentence, source, names)
        return sentence

    def value(self, row: Mapping[str, Any], message_id: str = "") -> dict[str, Any]:
        """Return a row as a value of `sms.delivery.v1`; empty fields are left out.

        `message_id` is used if the row has no message id. If both are missing, the field is left
        out. Raises UnmappableError with the reason if the row cannot be mapped.
        """
        if self.nested and not row.keys() >= set(self.nested):
            row = {**flatten(row), **row}
        value: dict[str, Any] = {"schema_version": 1, **self.constants}
        wanted = self.targets.get
        for source, found in row.items():
            targets = wanted(source)
            if targets is None or found is None or found == "":
                continue
            for target, convert in targets:
                # Most fields are strings. Without this shortcut, the extra call doubles the time
                # per field.
                if convert is str and type(found) is str:
                    value[target] = found
                    continue
                try:
                    value[target] = convert(found)
                except UnmappableError:
                    raise
                except (ValueError, TypeError, OverflowError):
                    form = tr("{source} is no {target}")
                    if target == "event_time_ms":
                        form = tr("{source} is no {target} in the form that --time names")
                    raise UnmappableError(form.format(source=source, target=target)) from None
        if message_id:
            value.setdefault("message_id", message_id)
        refuse_reserved(value)
        if not value.keys() >= REQUIRED:
            raise LackingError(tr("no {name}").format(name=min(REQUIRED - value.keys())))
        return value


def refuse_reserved(event: Mapping[str, Any]) -> None:
    """Raise UnmappableError if only otpguard itself may write events of this type."""
    found = event.get("event_type")
    if isinstance(found, str) and found in RESERVED_TYPES:
        raise UnmappableError(tr("event_type {name} is otpguard's own").format(name=found))


def flatten(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return the fields of a row and of the objects in it, named by their path.

    >>> flatten({"to": "139", "from": {"id": "1069"}})
    {'to': '139', 'from.id': '1069'}
    """
    flat: dict[str, Any] = {}
    for name, found in row.items():
        if isinstance(found, dict):
            flat |= flatten(found, f"{before}{name}.")
        else:
            flat[f"{before}{name}"] = found
    return flat


def _pair(word: str) -> tuple[str, str]:
    target, equals, source = word.partition("=")
    if not (target and equals and source):
        raise UsageError(tr("{word!r} is not of the form target=source").format(word=word))
    return target, source


def _limit_time(read: Callable[[Any], int]) -> Callable[[Any], int]:
    """Refuse times beyond any real clock; a longer number would overflow later."""

    def read_limited(written: Any) -> int:
        at_ms = read(written)
        if at_ms > EVENT_TIME_MAX_MS:
            raise far_ahead()
        return at_ms

    return read_limited


def time_reader(time_format: str, zone: str | None) -> Callable[[Any], int]:
    """Return the function that converts a time to milliseconds UTC.

    Without `zone`, that function raises UsageError for a time that names no zone.
    """
    local = UTC if zone == "UTC" else None if zone is None else zone_named(zone)
    if zone is not None and local is None:
        raise UsageError(tr("no time zone {zone!r}").format(zone=zone))
    if (factor := _UNITS.get(time_format)) is not None:
        return _limit_time(int if factor == 1 else lambda written: round(float(written) * factor))
    if time_format not in _NAMED and not _is_pattern(time_format):
        sentence = tr(
            "--time {form}: one of s, ms, us, ns, iso, or a pattern such as %Y%m%d%H%M%S"
        ).format(form=time_format)
        raise UsageError(suggest(sentence, time_format, _NAMED))

    def read(written: Any) -> int:
        text = str(written)
        if time_format == "iso":
            moment = datetime.fromisoformat(text)
        else:
            moment = datetime.strptime(text, time_format)  # noqa: DTZ007 - the zone is set below
        if moment.tzinfo is None:
            if local is None:
                raise UsageError(
                    tr("{text!r} names no time zone: --zone says which, such as {zone}").format(
                        text=text, zone=ZONE
                    )
                )
            moment = moment.replace(tzinfo=local)
        return round(moment.timestamp() * 1000)

    return _limit_time(read)


def _is_pattern(form: str) -> bool:
    """Return true if strptime can read what a clock writes in this form.

    >>> _is_pattern("%Y-%m-%d"), _is_pattern("%Q"), _is_pattern("YYYY-MM-DD")
    (True, False, False)
    """
    try:
        datetime.strptime(datetime.now(UTC).strftime(form), form)  # noqa: DTZ007 - not a time
    except ValueError:
        return False
    return "%" in form
