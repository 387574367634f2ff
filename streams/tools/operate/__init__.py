"""Commands for operators: explain decisions, read dead letters, check health, and more."""
