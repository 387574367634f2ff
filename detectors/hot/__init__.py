"""Hot platforms (abused by floods): victims' votes, base counts, and the lists made from both."""
