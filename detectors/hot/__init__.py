"""Hot platforms (abused by floods): victims' votes, base counts, and lists of hot platforms."""
