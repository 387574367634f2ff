"""The shell of otpguard: Kafka in, Kafka out, and the only code that performs I/O."""

from typing import Final

__version__: Final = "0.1.0"
"""Of the program, as in `pyproject.toml`: the package's metadata take 15 ms to read."""
