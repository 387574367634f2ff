"""Evidence packs: a case as files that a court, the police or a platform can verify on their own.

This package needs the extra `evidence`. The package is never used by a worker or in the path of a
message.
"""
