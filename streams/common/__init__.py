"""Helpers that know nothing of detection: errors, files, logs, language, pages, TLS."""
