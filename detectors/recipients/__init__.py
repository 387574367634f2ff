"""All recipients: one packed row each, the sieve over them, counts in tumbling windows."""
