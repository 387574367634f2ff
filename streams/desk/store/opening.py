"""The case store that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from streams.config import Settings
from streams.desk.store.engine import AWAY, away, engine, files
from streams.desk.store.store import CaseStore
from streams.desk.store.tables import places
from streams.desk.store.tokens import tokens


def opened(settings: Settings, **more: Any) -> CaseStore:
    """Open it; raise what `CaseStore` raises, and ConfigError for a key file that is none."""
    desk = settings.desk
    return CaseStore(
        desk.store,
        password=desk.password.get_secret_value(),
        tokens=tokens(desk.token_key_files),
        **more,
    )


def there(settings: Settings) -> bool:
    """Tell if there is a store to ask: a file of SQLite that we may read, or a server's URL."""
    found = files(settings.desk.store)
    return not found or all(map(_readable, found.values()))


def _readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def read_ms(settings: Settings) -> int | None:
    """Return the time up to which all topics are in the store; None if nothing was ever read.

    Neither makes nor migrates the store. Raises UnavailableError if it does not answer.
    """
    desk = settings.desk
    index = engine(desk.store, "index", desk.password.get_secret_value())
    try:
        with index.connect() as connection:
            oldest: int | None = connection.scalar(select(func.min(places.c.read_ms)))
    except AWAY as error:
        raise away(error, desk.store) from None
    finally:
        index.dispose()
    return oldest or None
