"""The I/O shell of otpguard around the pure core in `detectors`: Kafka in, Kafka out."""

from typing import Final

__version__: Final = "0.1.0"
"""Version of the program, as in `pyproject.toml`. A constant, because reading the package metadata
takes 15 ms."""
