"""Evidence packs: a case as files that a court, the police or a platform can check by themselves.

Needs the extra `evidence`. Nothing here runs beside a worker or on the way of a message.
"""
