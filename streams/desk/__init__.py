"""The abuse desk: a web console and its case store, for staff who help a flooded subscriber."""
