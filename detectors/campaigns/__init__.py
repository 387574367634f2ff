"""Floods that belong together: many recipients, the same platforms, the same minutes."""
