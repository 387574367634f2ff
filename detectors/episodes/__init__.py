"""Levels, leases and explanations of one attack on one recipient."""
