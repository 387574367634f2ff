"""Campaigns: floods against many recipients, with the same platforms and at the same time."""
