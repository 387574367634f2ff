"""Reads Kafka fetches as one message per poll; contains all private Faust and aiokafka API."""
