"""Prometheus metrics, and the small HTTP server for metrics and health checks."""
