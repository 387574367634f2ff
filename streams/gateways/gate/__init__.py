"""The gate: an HTTP service on the gateway's host that decides about each message."""
