"""The case store that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streams.config import Settings
from streams.desk.store.engine import files
from streams.desk.store.store import CaseStore
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
