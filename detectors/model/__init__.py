"""Data types that the other packages share: batches as columns, records, names of levels."""
