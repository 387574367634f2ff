"""Migration steps, one module each, numbered from the oldest."""
