"""`otpguard demo`: replays the incident of Dalian with a real broker and worker.

In this incident one subscriber received 68 verification codes within 35 minutes.
"""
