"""`make bench`: measures otpguard beside other programs, on Apache Kafka."""
