"""Feeds: from what a carrier has to `sms.delivery.v1`, keyed by recipient, at least once."""
