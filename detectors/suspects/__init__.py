"""State of the few recipients that the sieve promotes to suspects, and the rules that judge them.

A suspect has all its sightings of a day in memory, so the rules here are exact. The sieve only
works on a packed row per recipient.
"""
