"""The Python that runs this: a worker's figures depend on how it was built."""

from __future__ import annotations

import sys
import sysconfig
from typing import Final

OPTION: Final = "--enable-optimizations"
DISTRIBUTION: Final = "/usr"


def tuned(configured: str | None = None, base: str = sys.base_prefix) -> bool:
    """Tell if it was built with its compiler's profile, as far as it says.

    Distributions build theirs so without the option that tells it, python.org and its images with
    it; a Python made from source by a version manager mostly is not. On such a one a worker takes
    up to a quarter more CPU (`tests/bench/README.md`). The Makefile chooses by the same rule.

    >>> tuned("'--enable-optimizations' '--with-lto'", "/usr/local"), tuned("", "/usr")
    (True, True)
    >>> tuned("'--enable-shared'", "/home/me/python-3.11")
    False
    """
    if configured is None:
        configured = sysconfig.get_config_var("CONFIG_ARGS")
    return base == DISTRIBUTION or OPTION in str(configured)
