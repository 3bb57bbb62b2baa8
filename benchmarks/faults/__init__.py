"""Faults at every kind of call of a run: no space, I/O errors, kills. `python -m benchmarks.faults` is the campaign."""
