"""The detection core of otpguard: pure functions over arrays; no I/O, no clock, no random source."""
