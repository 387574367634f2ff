"""The rules that a gateway follows under a lease, and the rails around all leases."""
