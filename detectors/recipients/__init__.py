"""All recipients of a partition: one packed row each, the sieve over these rows, window counts."""
