"""Logs of our services on standard error: lines for people, or JSON for what collects them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

FORMAT_VARIABLE: Final = "OTPGUARD_LOG_FORMAT"
"""Set by `otpguard --log-format` for the command that it starts; a unit or a pod may set it too."""

TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object on one line: time (UTC, ISO 8601), level, logger, message, and a traceback.

    >>> told = logging.LogRecord("otpguard", logging.INFO, "", 0, "ready %d", (1,), None)
    >>> json.loads(JsonFormatter().format(told))["message"]
    'ready 1'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        return json.dumps(told, ensure_ascii=False)


FORMATS: Final[dict[str, Callable[[], logging.Formatter]]] = {
    "text": lambda: logging.Formatter(TEXT),
    "json": JsonFormatter,
}


def chosen() -> str:
    """The format that the environment asks for, "text" unless it names another that there is."""
    asked = os.environ.get(FORMAT_VARIABLE, "")
    return asked if asked in FORMATS else "text"


def to_stderr() -> None:
    """Log from INFO on, in the chosen format."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[chosen()]())
    logging.basicConfig(handlers=[handler], level=logging.INFO)
