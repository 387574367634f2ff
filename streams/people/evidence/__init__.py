"""Evidence packs: a case as files that a court, the police or a platform can verify on their own.

This package needs the extra `evidence`. It never runs in a worker or in the path of a message.
"""
