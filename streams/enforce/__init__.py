"""Adapters: they make gateways hold what the detector asks for and the operator allows."""
