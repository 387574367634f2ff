"""Partitions' state in memory, its checkpoints in the changelog, and the outputs before them."""
