"""Measures, on a carrier's own history, the assumptions behind the detector's parameters.

`history` reads the events. `survey` measures, with `cohort`, `peaks` and `leads`. `alarm_rates`
says which rates can be claimed. `rehearse` plays attacks, and `propose` proposes settings.
"""
