"""Adapters: they keep the leases at SMS gateways equal to the desired state."""
