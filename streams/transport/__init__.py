"""Bytes of a fetch to one message for each poll: every private call into Faust and aiokafka."""
