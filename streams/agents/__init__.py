"""Small services that make one picture of what all partitions say; each has one owner."""
