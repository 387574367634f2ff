"""Episodes: one attack on one recipient, with its levels, leases and explanations."""
