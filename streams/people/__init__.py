"""Services for people: the desk, notices, evidence packs, and the signal for banks."""
