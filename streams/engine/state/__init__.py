"""Keep the state of partitions: in memory, as checkpoints in the changelog, and pending outputs."""
