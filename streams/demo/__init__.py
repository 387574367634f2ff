"""`otpguard demo`: the incident of Dalian played against a real broker, worker and gateway."""
