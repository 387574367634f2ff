"""Feeds: convert a carrier's data to `sms.delivery.v1`, keyed by recipient, at least once."""
