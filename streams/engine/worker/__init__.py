"""The worker, a Faust application: its one agent, its input, its metrics and its watchdog."""
