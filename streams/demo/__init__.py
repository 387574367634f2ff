"""`otpguard demo`: replays the incident of Dalian with a real broker and worker."""
