"""Logging of our services to standard error: plain lines for people, or JSON for log collectors."""

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

FORMAT_VARIABLE: Final = "OTPGUARD_LOG_FORMAT"
"""Environment variable with the log format. `otpguard --log-format` sets it for its command; a
systemd unit or a pod may set it too."""

TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object per line.

    Fields: time (UTC, ISO 8601), level, logger, message, and a traceback if there is one.

    >>> told = logging.LogRecord("otpguard", logging.INFO, "", 0, "ready %d", (1,), None)
    >>> json.loads(JsonFormatter().format(told))["message"]
    'ready 1'
    """

    def format(self, record: logging.LogRecord) -> str:
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


def choose_format() -> str:
    """Return the log format from the environment, or "text" if none or an unknown one is set."""
    asked = os.environ.get(FORMAT_VARIABLE, "")
    return asked if asked in FORMATS else "text"


def to_stderr() -> None:
    """Log messages from level INFO on to standard error, in the chosen format."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[choose_format()]())
    logging.basicConfig(handlers=[handler], level=logging.INFO)
