"""The detection core of otpguard: pure functions over arrays; no clock or random source.

Its only I/O are the tables that it ships (`detectors.recognise.text.shipped`).
"""
