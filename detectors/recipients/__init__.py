"""All recipients of a partition: one packed row each, the sieve over them, window counts."""
