"""The rules that a gateway applies under a lease, and the rails that limit the number of leases."""
