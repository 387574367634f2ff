"""Hot platforms (abused by floods): victims' votes, counts outside of floods, and the lists."""
