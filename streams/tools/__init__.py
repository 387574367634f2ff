"""Tools for operators: health checks, calibration, scenarios, and the demo."""
