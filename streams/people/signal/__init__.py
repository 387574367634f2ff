"""HTTP service that tells banks whether a number is flooded with codes now, or was recently.

This package needs the extra `desk`. The service reads the case store, and writes each answer to the
audit log before the bank gets the answer.
"""
