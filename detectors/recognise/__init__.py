"""Text and sender to a verdict: is it a verification code, whose, how far is it trusted."""
