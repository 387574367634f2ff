"""Checks how the Python interpreter was built, because this affects a worker's speed."""

import sys
import sysconfig
from typing import Final

OPTION: Final = "--enable-optimizations"
DISTRIBUTION: Final = "/usr"


def is_optimised(configured: str | None = None, base: str = sys.base_prefix) -> bool:
    """True if Python was built with profile-guided optimization, as far as its configuration shows.

    Distributions build Python this way without showing the option; python.org and its images show
    it. A Python that a version manager built from source mostly lacks it. A worker then uses up to
    a quarter more CPU (`tests/bench/README.md`). The Makefile uses the same rule.

    >>> is_optimised("'--enable-optimizations' '--with-lto'", "/usr/local")
    True
    >>> is_optimised("", "/usr")
    True
    >>> is_optimised("'--enable-shared'", "/home/me/python-3.11")
    False
    """
    if configured is None:
        configured = sysconfig.get_config_var("CONFIG_ARGS")
    return base == DISTRIBUTION or OPTION in str(configured)
