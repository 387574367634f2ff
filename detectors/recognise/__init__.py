"""Decide from text and sender: is a message a verification code, of whom, and how trusted."""
