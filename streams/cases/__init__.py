"""Answers what happened to a number: the case store, explanations, campaigns, audit."""
