"""Alerts measured on labelled worlds: `python -m benchmarks.alerts`. How often, how soon, and whether the cause is right."""
