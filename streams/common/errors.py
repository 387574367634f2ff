"""Errors that end a command, each with the exit code that tells a supervisor what to do.

Invalid input records are not such errors: they become dead letters.
"""

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command. 70, 75 and 78 have the meaning of sysexits.h."""

    DONE = 0
    NO = 1  # a check failed, or a person answered no; Python also uses it for its own errors
    USAGE = 2  # wrong arguments
    UNCONFIRMED = 3  # applied, but a running gateway has not confirmed
    EXTRACT = 4  # the checks pass, but the file is only a part of what was signed
    # the state cannot be trusted; the process exits and rebuilds its state from the log
    INVARIANT = 70
    TRY_AGAIN = 75  # another service is down: a supervisor restarts
    CONFIG = 78  # a restart cannot help: settings, topics, permissions
    INTERRUPTED = 130  # interrupted with Ctrl-C, as in shells


class OtpguardError(Exception):
    """An error that is shown to the user in one line, without a traceback."""

    exit_code: Exit = Exit.INVARIANT
    outcome = "failed"  # outcome of the attempt in the audit log


class ConfigError(OtpguardError):
    """Settings, topics or permissions are wrong."""

    exit_code = Exit.CONFIG


class UnavailableError(OtpguardError):
    """A broker or another service does not respond."""

    exit_code = Exit.TRY_AGAIN


class UncertainError(UnavailableError):
    """A request got no response: it may have been executed, or may still be."""

    outcome = "unknown"


class UnconfirmedError(OtpguardError):
    """An operator's override is applied, but a running gateway has not confirmed it."""

    exit_code = Exit.UNCONFIRMED
    outcome = "unconfirmed"


class UsageError(OtpguardError):
    """An argument is wrong, or a file that an argument names."""

    exit_code = Exit.USAGE


def refuse_faults(faults: Mapping[str, bool]) -> None:
    """Raise ValueError with the message of the first fault that is found, if any.

    `faults`: message for a person -> true if this fault was found.

    >>> refuse_faults({"a port is a number": False, "a port is below 65536": False})
    """
    for message, is_there in faults.items():
        if is_there:
            raise ValueError(message)
