"""The worker: Faust's transport, the partitions' state in tables, and the agents that decide."""
