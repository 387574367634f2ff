"""The linear model that scores a text, and its features."""
