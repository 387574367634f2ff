"""Opens the read model: from the case store in the settings, or directly from the topics."""

import hashlib
import hmac
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from streams.cases.store.engine import engine, files, in_memory
from streams.cases.store.index_tables import INDEX, places
from streams.cases.store.index_writer import SOURCES, LogRecord, Writer
from streams.cases.store.store import CaseStore, ReadModel
from streams.common import ConfigError, now_ms, read_bytes, tr
from streams.config import Settings
from streams.config.settings import KEY_BYTES_MIN

log = logging.getLogger(__name__)

CASE_TOPICS: Final = ("episode", "throttle", "acks", "counts", "override", "everyone")
"""Settings of the topics from which a case is built: its events, leases, counts and overrides."""

OPTIONAL: Final = {
    "counts": "refused messages of leases that run are not counted: %s",
    "incident": "messages that followed a platform's first are not shown: %s",
}
"""Topics that may be missing or hidden from this user, and what is logged then."""


Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a progress bar for a topic and its number of records. The bar is advanced by a count."""


def no_progress(_topic: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show nothing."""
    return nullcontext(lambda _n: None)


def open_store(settings: Settings, **more: Any) -> CaseStore:
    """Open the case store of the settings. `more` is passed to `CaseStore`.

    Raise the errors of `CaseStore`, and ConfigError for an invalid key file.
    """
    desk = settings.desk
    return CaseStore(
        desk.store,
        password=desk.password.get_secret_value(),
        tokens=tokens(desk.token_key_files),
        params=settings.protection(),
        **more,
    )


def of_records(
    batch: Iterable[LogRecord], clock: Callable[[], int] = now_ms, **more: Any
) -> ReadModel:
    """Return a read model in memory, filled with these records. `clock` is the time of answers.

    `more` is passed to `ReadModel`.
    """
    model = ReadModel(in_memory(), clock=clock, **more)
    INDEX.create_all(model.index)
    Writer(model.index).take(list(batch), ())
    return model


def of_topics(
    settings: Settings,
    since_ms: int | None,
    names: Iterable[str] = CASE_TOPICS,
    progress: Progress = no_progress,
) -> ReadModel:
    """Return a read model in memory, filled from the topics. No database is needed.

    `names` are settings of topics. Overrides are read from the beginning, other topics from
    `since_ms` on. `progress` opens a progress bar for each topic. Raise the errors of
    `streams.cluster.read.reading`.
    """
    found = log_records(settings, since_ms, names, progress)
    return of_records(found, params=settings.protection())


def log_records(
    settings: Settings,
    since_ms: int | None,
    names: Iterable[str],
    progress: Progress = no_progress,
) -> list[LogRecord]:
    """Return the records of topics, including tombstones.

    Arguments and errors are as in `of_topics`. `progress` opens a progress bar for each topic.
    """
    from streams.cluster import admin, read  # noqa: PLC0415 - the desk does not need it

    clients = admin.client_arguments(settings.kafka)
    found: list[LogRecord] = []
    for name in names:
        source, topic = SOURCES[name], getattr(settings.topics, name)
        try:
            with read.reading(clients, topic) as reader:
                spans = reader.spans(None if source == "override" else since_ms)
                with progress(topic, sum(end - first for first, end in spans.values())) as show:
                    for batch in reader.batches(spans):
                        found += [
                            LogRecord(
                                source, topic, r.partition, r.offset, r.timestamp, r.key, r.value
                            )
                            for r in batch
                        ]
                        show(len(batch))
        except ConfigError as error:
            if name not in OPTIONAL:
                raise
            log.warning(OPTIONAL[name], error)
    return found


def there(settings: Settings) -> bool:
    """Return true if a store can be queried: a server, or SQLite files that are readable."""
    found = files(settings.desk.store)
    return not found or all(os.access(path, os.R_OK) for path in found.values())


def read_ms(settings: Settings) -> int | None:
    """Return the time (ms) up to which all topics are in the store, or None if nothing was read.

    The store is neither created nor migrated. Raise UnavailableError if it does not answer.
    """
    desk = settings.desk
    index = engine(desk.store, "index", desk.password.get_secret_value())
    with closing(ReadModel(index, url=desk.store)) as model, model.reading() as (connection, _):
        return connection.scalar(select(func.min(places.c.read_ms))) or None


DIGITS_MAX: Final = 15  # Maximum length of an E.164 number.


def token(key_id: str, key: bytes, number: str) -> str:
    """Return the token of a number in canonical form.

    >>> token("k1", b"0123456789abcdef", "8613900000001")[:20]
    'hk1:dcf999e768a8f473'
    """
    return f"h{key_id}:{hmac.new(key, number.encode(), hashlib.sha256).hexdigest()}"


def tokens(files: Mapping[str, Path]) -> Callable[[str], Iterable[str]]:
    """Return a function that computes the tokens of a number, one for each key.

    `files` maps key ids to key files. White space around a key is ignored. The function returns
    nothing for a text that is a token already. Raise ConfigError if a file cannot be read or its
    key is too short.
    """
    keys = {key_id: _read(path) for key_id, path in files.items()}

    def of(recipient: str) -> Iterable[str]:
        if not recipient.isdecimal() or len(recipient) > DIGITS_MAX:
            return ()
        return tuple(token(key_id, key, recipient) for key_id, key in keys.items())

    return of


def _read(path: Path) -> bytes:
    key = read_bytes(path).strip()
    if len(key) < KEY_BYTES_MIN:
        raise ConfigError(
            tr("{path}: a key has {n} bytes or more").format(path=path, n=KEY_BYTES_MIN)
        )
    return key
