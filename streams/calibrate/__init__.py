"""Measures, on a carrier's own history, the assumptions behind the detector's parameters.

`history` reads, `survey` measures (with `cohort` and `peaks`), `rates` says what may be claimed,
`rehearse` what an attack would meet, `propose` what to set; `report` and `plots` show it.
"""
