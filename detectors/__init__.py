"""The detection core of otpguard: pure functions over arrays; no I/O, clock or random source."""
