"""The shell of otpguard: Kafka in, Kafka out, and the only code that performs I/O."""
