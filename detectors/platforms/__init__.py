"""Figures of platforms: codes sent, recipients, first contacts, share of floods, and sweeps."""
