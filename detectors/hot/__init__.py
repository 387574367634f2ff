"""Platforms that floods abuse: who voted for them, how common they are, and the list of them."""
