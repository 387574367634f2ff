"""Everything at a gateway: adapters that enforce leases, the gate, and feeds of events."""
