"""Errors outside the log's data, each with the exit code that tells a supervisor what to do.

Bad input is data (a dead letter), never one of these.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; 70, 75 and 78 are those of sysexits.h."""

    DONE = 0
    NO = 1  # what was checked does not hold, or a person said no; Python's, too, of its own errors
    USAGE = 2  # wrong arguments
    UNCONFIRMED = 3  # applied, but a gateway that is at work has not confirmed
    EXTRACT = 4  # what was checked holds, and is a part of what was signed
    INVARIANT = 70  # state cannot be trusted; the process dies, its state is rebuilt from the log
    TRY_AGAIN = 75  # something outside is away: a supervisor restarts
    CONFIG = 78  # a restart cannot help: settings, topics, rights
    INTERRUPTED = 130  # by Ctrl-C, as shells have it


class OtpguardError(Exception):
    """Said to the user in one line, without a traceback."""

    exit_code: Exit = Exit.INVARIANT
    outcome = "failed"  # of what was tried, in the audit


class ConfigError(OtpguardError):
    """Settings, topics or rights are wrong."""

    exit_code = Exit.CONFIG


class UnavailableError(OtpguardError):
    """A broker or another service does not answer."""

    exit_code = Exit.TRY_AGAIN


class UncertainError(UnavailableError):
    """No answer came: it may have been done, or may be done yet."""

    outcome = "unknown"


class UnconfirmedError(OtpguardError):
    """An operator's override is applied, but a gateway that is at work has not confirmed it."""

    exit_code = Exit.UNCONFIRMED
    outcome = "unconfirmed"


class UsageError(OtpguardError):
    """An argument or a file named by one is wrong."""

    exit_code = Exit.USAGE
