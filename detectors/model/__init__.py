"""The columns, records and small types that everything else speaks of."""
