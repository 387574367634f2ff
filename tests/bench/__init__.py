"""`make bench`: otpguard measured beside its peers, on Apache Kafka."""
