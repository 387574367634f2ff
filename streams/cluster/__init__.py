"""Kafka seen from outside the worker: topics, rights, reading a topic for people."""
