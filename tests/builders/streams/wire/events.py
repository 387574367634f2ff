"""Builders that test_events.py shares with other tests."""

from __future__ import annotations

from streams.wire import Intake, Numbers

CHINA = Intake(Numbers("CN"))


TOKEN = "hk1:00112233445566778899aabbccddeeff"
