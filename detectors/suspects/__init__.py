"""The few recipients that the sieve hands on, and the exact decision about each."""
