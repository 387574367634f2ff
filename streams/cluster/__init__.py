"""Access to Kafka outside the worker: topic shapes, access rights, and reading topics."""
