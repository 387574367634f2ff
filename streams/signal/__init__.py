"""The signal to banks: that a number is flooded with codes now, or was lately.

Needs the extra `desk`. It reads the case store, and audits every answer before it is given.
"""
